"""The servers that `millrace up` brings along: PostgreSQL and Valkey from PyPI wheels."""
