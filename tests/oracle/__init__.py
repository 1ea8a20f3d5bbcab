"""PostgreSQL as the oracle: queries by chance, whole and split, under writes, in one snapshot."""
