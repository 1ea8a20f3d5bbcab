"""The side of the backends: who they are, how they fare, connections to them."""
