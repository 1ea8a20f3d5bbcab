"""Hashing over HTTP: bodies of any size, batches, and the digests that come with them."""
