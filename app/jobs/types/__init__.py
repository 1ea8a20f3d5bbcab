"""One file for each kind of job: what it takes, and what it checks before it is accepted."""
