"""What can be queried, and which of it is accelerated."""
