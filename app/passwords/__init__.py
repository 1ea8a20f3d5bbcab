"""Passwords over HTTP: sealed, queued, hashed by workers."""
