"""Answers that are given again: in Redis, and in PostgreSQL while Redis is away."""
