"""Writes files of DuckDB, and runs queries over them, within bounds."""
