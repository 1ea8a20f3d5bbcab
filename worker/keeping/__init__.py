"""Keeps segments in a process of its own, so that queries in the worker's do not wait for it."""
