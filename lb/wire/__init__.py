"""HTTP/1.1 on the wire: strict reading, canonical writing.  Pure: no sockets."""
