"""Password hashes: slow on purpose, each with its salt and cost in its encoded form."""
