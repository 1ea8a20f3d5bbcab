"""What jobs over tables decide without a database."""
