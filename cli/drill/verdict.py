"""What a drill has shown: pure, from its history, its faults and its account."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from cli.drill.checker import Account
from cli.drill.event import FINE, Event
from cli.drill.fault_run import FaultRun

LIMITED = "429"


@dataclass(frozen=True)
class Traffic:
    """What clients saw: requests, and how they ended; `slowest_s` is of answered ones, too."""

    requests: int
    ok: int
    stale: int
    errors: Mapping[str, int]
    slowest_s: float

    @property
    def connection_errors(self) -> int:
        """How many ended without an answer."""
        return sum(count for ending, count in self.errors.items() if not _is_answer(ending))

    @property
    def error_share(self) -> float:
        """Part of the requests that did not end well, from 0 to 1."""
        return 1 - self.ok / self.requests if self.requests else 0.0

    @property
    def stale_share(self) -> float:
        """Part of the requests whose answers were marked as stale, from 0 to 1."""
        return self.stale / self.requests if self.requests else 0.0


def traffic(events: Iterable[Event]) -> Traffic:
    """Sum up what clients saw; probes and the drill's own deeds are left out."""
    seen = [event for event in events if event.source == "client"]
    endings = Counter(event.ending for event in seen)
    fine = endings.pop(FINE, 0)
    slowest_s = max((event.completed_at - event.invoked_at for event in seen), default=0.0)
    stale = sum(event.stale for event in seen)
    return Traffic(len(seen), fine, stale, dict(endings.most_common()), slowest_s)


def _is_answer(ending: str) -> bool:
    return ending[:1].isdigit() or ending.startswith("item: ")


@dataclass(frozen=True)
class FaultSummary:
    """One kind of fault: what clients saw from injection to normal, all its runs together.

    `median_s`, `worst_s`: until answers were right; `whole_…`: until all of the stack was there.
    """

    name: str
    tier: str
    runs: int
    seen: Traffic
    median_s: float | None
    worst_s: float | None
    whole_median_s: float | None
    whole_worst_s: float | None
    failures: int


def by_fault(runs: Sequence[FaultRun], events: Sequence[Event]) -> Sequence[FaultSummary]:
    """Sum up runs by the fault's name, in the order of their first run.

    A request counts if any of it lay between the injection and the end of the wait.
    """
    names = dict.fromkeys(run.name for run in runs)
    return [_summary([run for run in runs if run.name == name], events) for name in names]


def _summary(runs: Sequence[FaultRun], events: Sequence[Event]) -> FaultSummary:
    times = [run.recovery_s for run in runs if run.recovery_s is not None]
    whole = [run.whole_s for run in runs if run.whole_s is not None]
    seen = traffic(event for event in events if any(_during(event, run) for run in runs))
    return FaultSummary(
        runs[0].name, runs[0].tier, len(runs), seen,
        median(times) if times else None, max(times) if times else None,
        median(whole) if whole else None, max(whole) if whole else None,
        sum(run.is_failure for run in runs),
    )  # fmt: skip


def _during(event: Event, run: FaultRun) -> bool:
    is_over = run.normal_at is not None and run.whole_at is not None
    end = max(run.normal_at or 0.0, run.whole_at or 0.0) if is_over else run.ended_at
    return event.invoked_at <= end and event.completed_at >= run.injected_at


@dataclass(frozen=True)
class Verdict:
    """All of it.  `reasons`: why the drill has failed, one sentence each; none if it has not."""

    seed: int
    seconds: float
    load: Traffic
    faults: Sequence[FaultSummary]
    runs: Sequence[FaultRun]
    impossible: Mapping[str, str]
    account: Account
    given_up: Mapping[str, str]
    unfinished: int

    @property
    def reasons(self) -> Sequence[str]:
        """Return what speaks against the stack."""
        account = self.account
        counts = (
            (len(account.wrong), "wrong answers"),
            (account.lost.total(), "lost: acknowledged, and not there"),
            (account.duplicated.total(), "doubled effects"),
            (account.unexpected.total(), "unexpected effects: refused, and there all the same"),
            (account.unread.total(), "acknowledged, and could not be looked at"),
            (self.unfinished, "promised, and not done within the limit"),
            (sum(run.is_failure for run in self.runs), "faults after which not all was normal"),
        )  # fmt: skip
        found = [f"{count:,} {what}" for count, what in counts if count]
        if self.load.requests == 0:
            found.append("no request was made")
        return found

    @property
    def has_passed(self) -> bool:
        """Whether every promise was kept, and everything became normal."""
        return not self.reasons

    @property
    def is_limited(self) -> bool:
        """Whether the balancer has refused requests as too many."""
        return any(ending.startswith(LIMITED) for ending in self.load.errors)
