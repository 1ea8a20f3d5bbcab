"""Tables whose changes are tracked, on a real PostgreSQL."""
