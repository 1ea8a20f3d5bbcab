"""The kinds checksum_table and diff_tables: tables by ranges of a key."""
