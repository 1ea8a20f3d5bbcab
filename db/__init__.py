"""PostgreSQL: pools, breaker, migrations."""
