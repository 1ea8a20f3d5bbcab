"""Why a drill cannot be run."""

from cli.errors import CommandError


class DrillImpossible(CommandError):
    """The stack cannot be drilled as it is: what the drill needs is not there."""


class NotNormal(CommandError):
    """The stack does not answer as it should, with no fault in place."""


class DrillFailed(CommandError):
    """The drill has found that a promise was broken, or something did not become normal again."""
