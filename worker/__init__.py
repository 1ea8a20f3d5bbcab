"""Takes tasks from the queue and runs them."""
