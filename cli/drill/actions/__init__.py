"""What clients of a drill ask, and how they know whether the answer is right."""
