"""Jobs that hash rows: of files, and of queries."""
