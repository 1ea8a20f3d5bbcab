"""Durable jobs: the ledger in PostgreSQL, its states, retries and dead letters."""
