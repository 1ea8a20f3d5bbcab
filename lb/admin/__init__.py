"""The operator's address: status, strategy, states of backends, metrics."""
