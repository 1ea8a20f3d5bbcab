"""Queries whose answers are fetched later: kept in PostgreSQL, run by any replica."""
