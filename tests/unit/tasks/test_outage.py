"""An outage is told when it begins and when it ends, and waited out with jitter."""

from tasks.errors import QueueUnavailable
from tasks.outage import Outage

ERROR = QueueUnavailable("gone")


class Heard:
    """What was told."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.facts: list[dict[str, object]] = []

    def __call__(self, name: str, cause: str, /, **facts: object) -> None:
        self.names.append(name)
        self.facts.append({"cause": cause, **facts})


def test_an_outage_of_many_loops_is_two_events() -> None:
    now = [10.0]
    heard = Heard()
    outage = Outage(lambda: now[0], lambda: 0.5, heard)
    for tries in range(50):
        outage.failed("slot-0", ERROR, tries)
        outage.failed("keeper", ERROR, tries)
    outage.over("slot-0")
    outage.over("heartbeat")
    now[0] += 3.0
    outage.over("keeper")
    outage.over("keeper")
    assert heard.names == ["redis_outage_began", "redis_outage_ended"]
    assert heard.facts[0]["cause"] == "gone"
    assert heard.facts[1]["after_s"] == 3.0


def test_a_connection_that_went_stale_is_no_outage() -> None:
    heard = Heard()
    outage = Outage(on_event=heard)
    outage.failed("keeper", ERROR, 0)
    outage.over("keeper")
    assert heard.names == []


def test_waits_grow_up_to_a_limit_and_are_jittered() -> None:
    longest = Outage(random_share=lambda: 1.0)
    delays = [longest.failed("slot-0", ERROR, tries) for tries in range(2000)]
    assert delays == sorted(delays)
    assert delays[0] <= 0.1
    assert delays[-1] == 2.05
    assert Outage(random_share=lambda: 0.0).failed("slot-0", ERROR, 2000) == 0.05
