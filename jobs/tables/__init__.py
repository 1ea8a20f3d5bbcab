"""Tables that jobs read by ranges of a key: what they are like, and what can be compared."""
