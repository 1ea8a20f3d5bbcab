"""What `millrace up` shows: a table that follows the start, then a line for each change."""

import sys
import time
from collections.abc import Callable, Iterable

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cli.supervisor.change import Change, State

_COLOURS = {
    State.HEALTHY: "green",
    State.STARTING: "yellow",
    State.STOPPED: "dim",
    State.STOPPING: "dim",
}


class QuietConsole(Console):
    """A console whose reader may go away: then nothing is shown, and the work goes on."""

    def on_broken_pipe(self) -> None:
        """Say nothing more."""
        self.quiet = True


class Display:
    """Shows programs and their health; plain lines where there is no terminal.

    A terminal that has been closed raises errors on output: they end the output, never the run,
    which has servers to stop in order.
    """

    def __init__(
        self, console: Console, *, live: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console
        self._clock = clock
        self._rows: dict[str, Change] = {}
        self._since: dict[str, float] = {}
        self._live: Live | None = None
        if live and console.is_terminal:
            # no refreshing thread: its errors, once the terminal is closed, would be nobody's
            self._live = Live(
                Text(), console=console, auto_refresh=False,
                redirect_stdout=False, redirect_stderr=False,
            )  # fmt: skip
            self._guarded(lambda one: one.start(), self._live)

    def change(self, change: Change) -> None:
        """Show a program's new state."""
        self._rows[change.name] = change
        self._since[change.name] = self._clock()
        if self._live is not None:
            self.refresh()
        elif change.state is not State.STARTING or change.detail:
            self.say(self._line(change))

    def refresh(self) -> None:
        """Let the table's seconds go on."""
        if self._live is not None:
            self._guarded(lambda one: one.update(self._table(), refresh=True), self._live)

    def settle(self) -> None:
        """End the table that follows the start; from now on each change is a line."""
        live, self._live = self._live, None
        if live is not None:
            self._guarded(lambda one: one.stop(), live)

    def say(self, text: str) -> None:
        """Show a line of plain text."""
        try:
            self._console.print(Text(text), soft_wrap=True)
        except OSError:
            self._console.quiet = True

    def tell(self, lines: Iterable[str]) -> None:
        """Show lines of plain text."""
        for line in lines:
            self.say(line)

    def complain(self, text: str) -> None:
        """Show an error on stderr."""
        self.settle()
        try:
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()
        except OSError:
            self._console.quiet = True

    def _guarded(self, act: Callable[[Live], None], live: Live) -> None:
        try:
            act(live)
        except OSError:
            self._console.quiet = True
            self._live = None

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False)
        for heading in ("program", "pid", "address", "state", "seconds", ""):
            table.add_column(heading, justify="right" if heading in {"pid", "seconds"} else "left")
        for row in self._rows.values():
            running = row.state is State.STARTING
            seconds = self._clock() - self._since[row.name] if running else row.seconds
            table.add_row(
                row.name, str(row.pid or "-"), row.address or "-",
                Text(row.state, style=_COLOURS.get(row.state, "red")),
                f"{seconds:.1f}", row.detail,
            )  # fmt: skip
        return table

    def _line(self, change: Change) -> str:
        pid = f"pid {change.pid}" if change.pid is not None else ""
        seconds = f"{change.seconds:.1f} s" if change.state is State.HEALTHY else ""
        parts = (f"{change.name:<11}{pid:<12}{change.state:<10}", seconds, change.address)
        line = "  ".join(part for part in (*parts, change.detail) if part)
        return line.rstrip()
