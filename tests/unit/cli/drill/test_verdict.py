"""What is made of a history: traffic, recovery, and the judgement."""

import json
from dataclasses import replace

import pytest

from cli.drill.checker import Account, Wrong
from cli.drill.event import Event, Source
from cli.drill.fault_run import FaultRun
from cli.drill.report import document, lines
from cli.drill.resources import Sampler, Snapshot, Usage
from cli.drill.verdict import Verdict, by_fault, traffic

RUN = FaultRun("kill-worker", "worker", "SIGKILL", 10.0, None, 12.0, 12.0, 13.0)


def asked(
    begin: float, end: float, ending: str = "ok", *, stale: bool = False, source: Source = "client"
) -> Event:
    return Event(0, "query", begin, end, "ok", None, ending, stale, source)


def verdict(*runs: FaultRun, account: Account | None = None, unfinished: int = 0) -> Verdict:
    events = [asked(11.0, 11.5), asked(11.0, 14.0, "503 database-unavailable")]
    return Verdict(
        7, 60.0, traffic(events), by_fault(runs, events), runs, {}, account or Account(), {},
        unfinished,
    )  # fmt: skip


def test_traffic_counts_clients_alone_and_errors_by_how_they_ended() -> None:
    seen = traffic([
        asked(0, 1), asked(0, 4, stale=True), asked(0, 1, "503 x"), asked(0, 1, "503 x"),
        asked(0, 2, "connection broken"), asked(0, 9, "item: x"),
        asked(0, 99, "500 y", source="probe"), asked(0, 99, source="part"),
    ])  # fmt: skip
    assert (seen.requests, seen.ok, seen.stale, seen.slowest_s) == (6, 2, 1, 9)
    assert seen.errors == {"503 x": 2, "connection broken": 1, "item: x": 1}
    assert seen.connection_errors == 1
    assert seen.error_share == pytest.approx(4 / 6)
    assert seen.stale_share == pytest.approx(1 / 6)


def test_a_request_belongs_to_a_fault_if_any_of_it_lay_in_its_time() -> None:
    events = [asked(8, 9.9), asked(8, 10.5), asked(11, 11.5), asked(11.9, 30), asked(12.5, 13)]
    [summary] = by_fault([RUN], events)
    assert summary.seen.requests == 3


def test_recovery_counts_from_the_undoing_and_where_nothing_is_undone_from_the_injection() -> None:
    assert RUN.recovery_s == 2.0
    assert replace(RUN, undone_at=11.5).recovery_s == 0.5


def test_runs_of_one_fault_give_their_medians_and_their_worst() -> None:
    runs = [
        replace(RUN, normal_at=10.0 + seconds, whole_at=12.0 + seconds) for seconds in (1, 5, 2)
    ]
    [summary] = by_fault(runs, [])
    assert (summary.runs, summary.median_s, summary.worst_s, summary.failures) == (3, 2, 5, 0)
    assert (summary.whole_median_s, summary.whole_worst_s) == (4, 7)


def test_a_fault_lasts_until_answers_are_right_and_the_stack_is_whole() -> None:
    run = replace(RUN, whole_at=12.7)
    [summary] = by_fault([run], [asked(12.5, 13), asked(12.8, 13)])
    assert summary.seen.requests == 1


def test_a_drill_passes_if_nothing_speaks_against_it() -> None:
    assert verdict(RUN).has_passed


@pytest.mark.parametrize("part", ["lost", "unexpected", "duplicated", "unread"])
def test_one_broken_promise_fails_the_drill(part: str) -> None:
    account = Account()
    getattr(account, part)["job 1"] = 1
    assert len(verdict(RUN, account=account).reasons) == 1


def test_a_wrong_answer_fails_the_drill() -> None:
    assert not verdict(account=Account(wrong=[Wrong(1, "query", "1, not 2")])).has_passed


def test_work_that_is_not_done_fails_the_drill() -> None:
    assert not verdict(unfinished=1).has_passed


def test_a_fault_after_which_not_all_is_normal_fails_the_drill() -> None:
    assert not verdict(replace(RUN, normal_at=None, missing=("job",))).has_passed
    assert not verdict(replace(RUN, whole_at=None, missing=("app-2",))).has_passed
    assert not verdict(replace(RUN, trouble="PostgreSQL is still stopped")).has_passed


def test_a_fault_that_was_interrupted_does_not_fail_the_drill() -> None:
    assert verdict(replace(RUN, normal_at=None, is_awaited=False)).has_passed


def test_a_drill_without_requests_shows_nothing() -> None:
    assert not replace(verdict(RUN), load=traffic([])).has_passed


def test_too_many_requests_are_told_with_the_remedy() -> None:
    limited = replace(verdict(RUN), load=traffic([asked(0, 1, "429 too-many-requests")]))
    assert "MILLRACE_RATE_LIMIT=off" in "\n".join(lines(limited, sampler()))


def sampler() -> Sampler:
    one = Snapshot({"lb": Usage(2, 50_000_000, 40, 3)}, {"Redis keys": 5})
    return Sampler(lambda: one)


def test_the_verdict_is_told_to_people_and_to_machines() -> None:
    account = Account(wrong=[Wrong(3, "query direct", "1, not 2")])
    account.lost["job 9"] = 1
    failed = verdict(RUN, account=account)
    text = list(lines(failed, sampler()))
    assert text[text.index("FAILED:") + 1 :] == [
        "  1 wrong answers", "  1 lost: acknowledged, and not there",
    ]  # fmt: skip
    assert any("lost: job 9 (1)" in line for line in text)
    told = json.loads(json.dumps(document(failed, sampler())))
    assert told["passed"] is False
    assert told["account"]["lost"] == {"job 9": 1}
    assert told["runs"][0]["recovery_s"] == 2.0
    assert told["runs"][0]["whole_s"] == 2.0
    assert told["resources"]["peak"]["programs"]["lb"]["rss"] == 50_000_000
    assert list(lines(verdict(RUN), sampler()))[-1].startswith("PASSED")


def test_the_most_of_two_snapshots_is_taken_number_by_number() -> None:
    first = Snapshot({"a": Usage(1, 10, 5, 1), "b": Usage(1, 1, 1, 1)}, {"keys": 5})
    second = Snapshot({"a": Usage(1, 8, 7, 1)}, {"keys": 3, "bytes": 1})
    most = first.most(second)
    assert most.programs == {"a": Usage(1, 10, 7, 1), "b": Usage(1, 1, 1, 1)}
    assert most.servers == {"keys": 5, "bytes": 1}
