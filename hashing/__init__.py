"""Digests over values, and password hashes.  Pure: no I/O."""
