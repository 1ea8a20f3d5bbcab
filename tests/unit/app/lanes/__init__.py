"""Lanes of requests."""
