"""A stack that may be harmed: one that was started with `millrace up --drill`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from cli.errors import CommandError
from cli.faults.control import Control
from cli.supervisor.run_file import RunContents, RunFile, is_locked


class DrillRefused(CommandError):
    """This stack was not started to be harmed."""


@dataclass(frozen=True)
class Stack:
    """The stack of a data folder.

    `address` is the public URL, `admin_address` the balancer's own.  `database_url`, `redis_url`
    lead to the servers past the proxies, for looking what is really there.  `control` sets the
    proxies; what it sets ends with it, so that a drill that dies leaves no fault in the network.
    """

    data: Path
    address: str
    admin_address: str
    database_url: str
    redis_url: str
    control: Control = field(repr=False)

    @classmethod
    def of(cls, data: Path) -> Self:
        """Return the stack that runs on `data`.  Raises DrillRefused with the remedy."""
        found = RunFile(data).read()
        if not is_locked(data) or found.database_url is None or found.redis_url is None:
            raise DrillRefused(
                f"No millrace runs on {data}. Start one that may be harmed: "
                f"millrace up --drill --data {data}"
            )
        if found.drill is None:
            raise DrillRefused(
                f"The millrace on {data} was not started to be harmed. If it may be: stop it, "
                f"then millrace up --drill --data {data}"
            )
        drill = found.drill
        return cls(
            data, drill.address, drill.admin_address, found.database_url, found.redis_url,
            Control(Path(drill.control)),
        )  # fmt: skip

    def run(self) -> RunContents:
        """Return what runs at this moment; read anew, since programs are started again."""
        return RunFile(self.data).read()

    def close(self) -> None:
        """End what the proxies were told."""
        self.control.close()

    def __enter__(self) -> Self:
        """Nothing: see `of`."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()
