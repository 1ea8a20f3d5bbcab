"""Which rows of a table changed since a copy was made of them: triggers, log, clean check."""
