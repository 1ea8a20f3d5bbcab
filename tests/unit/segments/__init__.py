"""What of segments needs no server."""
