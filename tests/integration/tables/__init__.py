"""Tables, by ranges of a key."""
