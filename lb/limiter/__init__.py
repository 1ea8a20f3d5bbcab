"""The sliding-window rate limit of each client."""
