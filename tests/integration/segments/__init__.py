"""Segments, of a real PostgreSQL and on a real disk."""
