"""All processes as one counterpart, whoever of them comes, goes or is silent."""

import asyncio
from typing import Any, Literal

from lb.admin.fleet import Fleet, MemberGone


class FakeMember:
    """Answers what it is given answers for; silent about the rest."""

    def __init__(self, pid: int, answers: dict[str, Any]) -> None:
        self.pid = pid
        self.stage: Literal["starting", "serving", "draining"] = "serving"
        self.answers = answers
        self.asked: list[tuple[str, Any]] = []

    async def ask(self, what: str, body: Any = None) -> Any:
        self.asked.append((what, body))
        if what not in self.answers:
            raise MemberGone("silent")
        return self.answers[what]


def requests(value: float) -> list[dict[str, Any]]:
    return [
        {"name": "n", "help": "N.", "type": "counter", "samples": [["n_total", {}, value]]},
    ]


def total(fleet: Fleet) -> float:
    (metric,) = asyncio.run(fleet.metrics())
    return float(metric.samples[0].value)


def test_who_does_not_answer_is_left_out_but_listed() -> None:
    document = {"connections": {"open": 3}, "requests": {"active": 1}}
    members = [FakeMember(1, {"status": document, "ready": 2}), FakeMember(2, {})]
    fleet = Fleet(lambda: members)
    status = asyncio.run(fleet.status())
    assert status["connections"] == {"open": 3}
    assert [(one["pid"], one["connections"]) for one in status["processes"]] == [(1, 3), (2, None)]
    assert asyncio.run(fleet.ready()) == 2


def test_with_only_draining_processes_nobody_serves() -> None:
    member = FakeMember(1, {"ready": 2})
    member.stage = "draining"
    assert asyncio.run(Fleet(lambda: [member]).ready()) is None


def test_a_starting_process_is_not_asked() -> None:
    member = FakeMember(1, {"ready": 2})
    member.stage = "starting"
    assert asyncio.run(Fleet(lambda: [member]).ready()) is None
    assert member.asked == []


def test_counts_of_ended_and_of_killed_processes_stay_in_the_sum() -> None:
    members = [FakeMember(pid, {"metrics": requests(10)}) for pid in (1, 2, 3)]
    fleet = Fleet(lambda: members)
    assert total(fleet) == 30
    members.pop(0)
    fleet.left(1, requests(15))  # in order: it told its last count
    assert total(fleet) == 35
    members.pop(0)
    fleet.left(2, None)  # killed: what it told last
    assert total(fleet) == 35


def test_a_process_that_is_silent_for_once_counts_as_before() -> None:
    members = [FakeMember(1, {"metrics": requests(10)}), FakeMember(2, {"metrics": requests(5)})]
    fleet = Fleet(lambda: members)
    assert total(fleet) == 15
    del members[1].answers["metrics"]
    assert total(fleet) == 15
