"""The side of the clients: their connections, and each request's way."""
