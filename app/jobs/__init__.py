"""Durable jobs over HTTP: what each kind takes, and how its results are shown."""
