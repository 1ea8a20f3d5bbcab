"""What keeps the balancer from starting; messages name the remedy."""


class StartFailed(Exception):
    """Root: the message is for the operator."""


class AddressInUse(StartFailed):
    """Another program listens where we should."""
