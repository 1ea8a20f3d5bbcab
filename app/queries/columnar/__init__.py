"""Queries over segments: which tables have some, how a query is planned over them, and run."""
