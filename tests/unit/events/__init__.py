"""Tests of what all programs tell of changes."""
