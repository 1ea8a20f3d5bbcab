"""What `millrace up` shows, with a terminal, without, and when it has gone away."""

import io

from cli.display import Display, QuietConsole
from cli.supervisor.change import Change, State

HEALTHY = Change("app-1", State.HEALTHY, "127.0.0.1:20001", 4711, 1.25)


class ClosedTerminal(io.StringIO):
    """Output whose reader has hung up."""

    def write(self, _text: str) -> int:
        raise OSError(5, "Input/output error")

    def isatty(self) -> bool:
        return True


def test_without_a_terminal_each_change_is_a_line_with_all_that_is_known() -> None:
    output = io.StringIO()
    display = Display(QuietConsole(file=output), live=True)
    display.change(Change("app-1", State.STARTING, "127.0.0.1:20001", 4711))
    display.change(HEALTHY)
    assert output.getvalue().split() == [
        "app-1", "pid", "4711", "healthy", "1.2", "s", "127.0.0.1:20001",
    ]  # fmt: skip


def test_a_terminal_shows_a_table_whose_seconds_go_on() -> None:
    output = io.StringIO()
    now = [0.0]
    console = QuietConsole(file=output, force_terminal=True, width=100)
    display = Display(console, live=True, clock=lambda: now[0])
    display.change(Change("app-1", State.STARTING, "127.0.0.1:20001", 4711))
    now[0] = 7.5
    display.refresh()
    display.settle()
    assert "7.5" in output.getvalue()
    assert "starting" in output.getvalue()


def test_a_terminal_that_has_gone_away_disturbs_nothing() -> None:
    display = Display(QuietConsole(file=ClosedTerminal(), force_terminal=True), live=True)
    display.change(HEALTHY)
    display.refresh()
    display.settle()
    display.say("still here")
    display.change(HEALTHY)
