"""The families of aggregates, one a file: what a fragment computes for each, and how it merges."""
