"""Answers as bytes: JSON, NDJSON, CSV and Arrow, chosen by the request, streamed and compressed."""
