"""Tests of what benchmarks compute from their measurements."""
