"""Keeps programs running: starts, probes, restarts with back-off, and stops them in order."""
