"""What `millrace up` runs: which programs, where, with which environment, in which order."""
