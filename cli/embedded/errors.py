"""What can go wrong with an embedded server, each with its remedy."""


class EmbeddedServerError(Exception):
    """Root of this package's errors; the message says what failed and what to do."""


class ServerMissing(EmbeddedServerError):
    """The wheel has no server program for this machine."""


class DataFolderBroken(EmbeddedServerError):
    """The data folder cannot be used: not ours, not readable, or not what it should be."""


class ServerDidNotStart(EmbeddedServerError):
    """The server ended, or was not ready in time; the end of its log is in the message."""
