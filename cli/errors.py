"""What the command line can fail with: one message with its remedy, and an exit code."""


class CommandError(Exception):
    """Root of the command line's errors: the message is for the person who typed the command."""

    exit_code = 1


class DidNotStart(CommandError):
    """A program ended again and again, or was not healthy in time."""


class PortInUse(CommandError):
    """Somebody else listens where we should."""

    exit_code = 3


class DataFolderInUse(CommandError):
    """Another `millrace` works on this data folder."""

    exit_code = 4


class DataFolderUnusable(CommandError):
    """The data folder cannot be written, or holds what it should not."""

    exit_code = 4


class ServerUnreachable(CommandError):
    """PostgreSQL or Redis, given by URL, cannot be used."""

    exit_code = 5


class LoadRefused(CommandError):
    """The file, or a value of it, does not fit; nothing was loaded."""

    exit_code = 6


class DemoRefused(CommandError):
    """The demo table cannot be made in this database; nothing was changed."""

    exit_code = 6


class HashMismatch(CommandError):
    """A checked file does not have the digest that was noted, or cannot be read."""


class HashRefused(CommandError):
    """What is asked of an algorithm does not fit it, or a list of digests cannot be read."""

    exit_code = 2
