"""Digests over values.  Pure: no I/O."""
