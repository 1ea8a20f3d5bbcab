"""Columnar copies of key ranges of tables: read, written, kept and verified."""
