"""Digests that are remembered: stored in groups, looked up one by one."""
