"""Lanes: how many requests of each kind a process works on at once, and who is refused."""
