"""What a fragment means to DuckDB: the same as to PostgreSQL, or a reason not to ask it."""
