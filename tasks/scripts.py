"""The Lua scripts: each is one step that must happen whole or not at all."""

import hashlib
from importlib.resources import files


class Script:
    """A script of the folder `lua/` of a package; run by its digest, loaded where it is missing."""

    def __init__(self, name: str, package: str = "tasks") -> None:
        self._source = files(package).joinpath("lua", f"{name}.lua").read_bytes()
        # the protocol's name for a script, no protection
        self._digest = hashlib.sha1(self._source, usedforsecurity=False).hexdigest()

    def command(
        self, keys: list[str], arguments: list[str | bytes | int]
    ) -> tuple[str | bytes | int, ...]:
        """Return the command that runs it where it is loaded already."""
        return ("EVALSHA", self._digest, len(keys), *keys, *arguments)

    def loading_command(
        self, keys: list[str], arguments: list[str | bytes | int]
    ) -> tuple[str | bytes | int, ...]:
        """Return the command that loads and runs it."""
        return ("EVAL", self._source, len(keys), *keys, *arguments)


RING = Script("ring")
SCATTER = Script("scatter")
WATCH = Script("watch")
REPLY = Script("reply")
BURY = Script("bury")
CLAIM = Script("claim")
RENEW = Script("renew")
TIDY = Script("tidy")
BEAT = Script("beat")
LEAVE = Script("leave")
ROLL = Script("roll")
SEAT = Script("seat")
SEATED = Script("seated")
UNSEAT = Script("unseat")
