"""The account of a history: what was acknowledged against what is there in the end.

In the manner of the queue checkers of Jepsen (total-queue): multisets of what was tried, what was
acknowledged and what was found give what was lost, unexpected, duplicated and recovered.  Two
checks are beside it: answers against the known ones, and versions of a register that one writer
sets against what a reader may see.  All of it is pure.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from cli.drill.event import Attempt, Event, Read, Rows, Seen, Tally, Write

# what an answer says of its age comes from another clock, and is rounded
AGE_TOLERANCE_S = 0.5


@dataclass(frozen=True)
class Wrong:
    """An answer that is not the right one."""

    event: int
    kind: str
    why: str


@dataclass
class Account:
    """What became of every effect, by its name, and every wrong answer.

    acknowledged: what clients were told is done, or will be.
    ok:           found, and asked for.
    lost:         acknowledged, and not found.
    unexpected:   found, though it was never asked for, or was refused.
    duplicated:   found more often than it was asked for.
    recovered:    found, though nobody had said so: its outcome was unknown.  That is allowed.
    unread:       acknowledged, and nobody could look.
    rows:         rows of results that were looked at.
    """

    acknowledged: Counter[str] = field(default_factory=Counter)
    ok: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    unexpected: Counter[str] = field(default_factory=Counter)
    duplicated: Counter[str] = field(default_factory=Counter)
    recovered: Counter[str] = field(default_factory=Counter)
    unread: Counter[str] = field(default_factory=Counter)
    wrong: list[Wrong] = field(default_factory=list)
    rows: int = 0

    @property
    def is_clean(self) -> bool:
        """Whether every promise was kept, as far as everything was looked at."""
        broken = (self.lost, self.unexpected, self.duplicated, self.unread)
        return not self.wrong and not any(part.total() for part in broken)


def check(history: Iterable[Event]) -> Account:
    """Return the account of a history; the order of its events does not matter."""
    events = sorted(history, key=lambda event: event.id)
    account = Account()
    _effects(events, account)
    _rows(events, account)
    _answers(events, account)
    _register(events, account)
    return account


@dataclass
class _Tried:
    """What is known of one effect: how often it must be there, and how often it may."""

    acknowledged: int = 0
    possible: int = 0
    replies: set[str] = field(default_factory=set)

    def add(self, event: Event, attempt: Attempt) -> None:
        if event.outcome == "failed":
            return
        most = 1 if attempt.once else self.possible + 1
        self.possible = most
        if event.outcome == "ok":
            self.acknowledged = 1 if attempt.once else self.acknowledged + 1
            self.replies.add(attempt.reply)


def _effects(events: Sequence[Event], account: Account) -> None:
    tried: dict[str, _Tried] = {}
    found: dict[str, int] = {}
    for event in events:
        if isinstance(event.value, Attempt):
            tried.setdefault(event.value.effect, _Tried()).add(event, event.value)
        elif isinstance(event.value, Tally):
            found[event.value.effect] = event.value.count
    for effect in sorted(tried.keys() | found.keys()):
        known = tried.get(effect, _Tried())
        _add(account.acknowledged, effect, known.acknowledged)
        if effect not in found:
            _add(account.unread, effect, known.acknowledged)
            continue
        count = found[effect]
        if known.possible == 0:
            _add(account.unexpected, effect, count)
            continue
        allowed = min(count, known.possible)
        _add(account.ok, effect, allowed)
        # two ids for one effect are two effects, wherever the second one has gone
        _add(account.duplicated, effect, max(count - known.possible, len(known.replies) - 1))
        _add(account.lost, effect, known.acknowledged - count)
        _add(account.recovered, effect, allowed - known.acknowledged)


def _rows(events: Sequence[Event], account: Account) -> None:
    for event in events:
        value = event.value
        if not isinstance(value, Rows):
            continue
        wanted = range(1, len(value.expected) + 1)
        account.rows += len(wanted)
        found = Counter(number for number, _ in value.observed)
        for number in wanted:
            _add(account.lost, f"{value.effect} row {number}", 1 - found[number])
            _add(account.duplicated, f"{value.effect} row {number}", found[number] - 1)
        for number in sorted(found.keys() - set(wanted)):
            _add(account.unexpected, f"{value.effect} row {number}", found[number])
        for number, digest in value.observed:
            if number in wanted and digest != value.expected[number - 1]:
                why = f"{value.effect} row {number}: {digest}, not {value.expected[number - 1]}"
                account.wrong.append(Wrong(event.id, event.kind, why))
        order = [number for number, _ in value.observed]
        if order != sorted(order):
            why = f"{value.effect}: its rows are not in order"
            account.wrong.append(Wrong(event.id, event.kind, why))


def _add(counts: Counter[str], name: str, count: int) -> None:
    if count > 0:
        counts[name] += count


def _answers(events: Sequence[Event], account: Account) -> None:
    for event in events:
        value = event.value
        if isinstance(value, Read) and event.outcome == "ok" and value.observed != value.expected:
            why = f"{value.observed}, not {value.expected}"
            account.wrong.append(Wrong(event.id, event.kind, why))


def _register(events: Sequence[Event], account: Account) -> None:
    """Check what was seen of the register.

    A version may be seen from when its write began, unless that failed, until a later version had
    been acknowledged before the request, by more than the answer may be old.
    """
    began_at = {0: float("-inf")}
    acknowledged: list[tuple[float, int]] = []
    for event in events:
        if isinstance(event.value, Write) and event.outcome != "failed":
            began_at[event.value.version] = event.invoked_at
            if event.outcome == "ok":
                acknowledged.append((event.completed_at, event.value.version))
    acknowledged.sort()
    times = [at for at, _ in acknowledged]
    newest = [0]  # the greatest version among the first n that were acknowledged
    for _, version in acknowledged:
        newest.append(max(newest[-1], version))
    for event in events:
        seen = event.value
        if not isinstance(seen, Seen) or event.outcome != "ok":
            continue
        if seen.lowest != seen.highest:
            why = f"versions {seen.lowest} and {seen.highest} in one answer"
        elif began_at.get(seen.lowest, float("inf")) > event.completed_at:
            why = f"version {seen.lowest}, which nobody had written"
        else:
            slack_s = seen.age_s + (AGE_TOLERANCE_S if seen.age_s > 0 else 0.0)
            least = newest[bisect_left(times, event.invoked_at - slack_s)]
            if seen.lowest >= least:
                continue
            why = f"version {seen.lowest}, {least} was there {slack_s:.1f} s before"
        account.wrong.append(Wrong(event.id, event.kind, why))
