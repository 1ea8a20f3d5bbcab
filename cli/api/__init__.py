"""The API over HTTP, as the commands use it."""
