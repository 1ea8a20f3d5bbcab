"""The way of a query through the replica: plan, run direct or in parts, merge, answer."""
