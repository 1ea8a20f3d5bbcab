"""Stacks in containers, with an engine that only remembers."""
