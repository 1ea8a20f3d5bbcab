"""The history, in memory and as lines."""

import io
import json

from cli.drill.event import Attempt, Seen
from cli.drill.history import History


def test_each_event_is_a_line_that_says_what_its_value_is() -> None:
    output = io.StringIO()
    history = History(output, clock=iter([100.0, 103.0]).__next__)
    attempt = Attempt("sha256:00", once=False)
    history.add("store", 1.0, history.now(), "unknown", attempt, ending="connection broken")
    history.add("register", 2.0, 3.0, "ok", Seen(4, 4, 0.5), stale=True, source="probe")
    lines = [json.loads(line) for line in output.getvalue().splitlines()]
    assert lines[0] == {
        "id": 0, "kind": "store", "invoked_at": 1.0, "completed_at": 3.0, "outcome": "unknown",
        "value": {"type": "attempt", "effect": "sha256:00", "once": False, "reply": ""},
        "ending": "connection broken", "stale": False, "source": "client",
    }  # fmt: skip
    assert lines[1]["value"] == {"type": "seen", "lowest": 4, "highest": 4, "age_s": 0.5}
    assert [event.id for event in history.events()] == [0, 1]


def test_a_request_without_a_value_has_none_in_its_line() -> None:
    output = io.StringIO()
    History(output).add("job state", 0.0, 1.0, "ok")
    assert json.loads(output.getvalue())["value"] is None
