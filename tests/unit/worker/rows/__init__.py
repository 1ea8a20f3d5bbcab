"""Tests of what hashing rows is made of."""
