"""Histories of a simulated system, whose every loss and every lie is known."""

from collections import Counter

from cli.drill.event import Attempt, Event, Outcome, Read, Rows, Seen, Tally, Value, Write


class Simulation:
    """A system with counted and once-only effects, results in rows, and a register.

    It is honest unless it is told to cheat; the counters say what a checker must find.
    """

    def __init__(self) -> None:
        self.lost: Counter[str] = Counter()
        self.unexpected: Counter[str] = Counter()
        self.duplicated: Counter[str] = Counter()
        self.recovered: Counter[str] = Counter()
        self.unread: Counter[str] = Counter()
        self.wrong: list[int] = []
        self._events: list[Event] = []
        self._time = 0.0
        self._there: Counter[str] = Counter()
        self._acknowledged: Counter[str] = Counter()
        self._hidden: set[str] = set()
        self._versions: list[tuple[float, int]] = [(float("-inf"), 0)]  # since when, which
        self._newest = 0

    def fresh(self) -> str:
        """Return a name that no effect has."""
        return f"effect {len(self._events)}"

    def history(self) -> list[Event]:
        """Return all events, with what is found in the end."""
        effects = {one.value.effect for one in self._events if isinstance(one.value, Attempt)}
        effects |= set(self._there)
        found = list(self._events)
        for effect in sorted(effects - self._hidden):
            at = self._time
            tally = Tally(effect, self._there[effect])
            found.append(Event(len(found), "found", at, at, "ok", tally, source="drill"))
        return found

    def expected_recovered(self) -> Counter[str]:
        """Return what is there although nobody was told so."""
        return +(self._there - self._acknowledged - self.unexpected - self.duplicated)

    # what an honest system does

    def ask(self, effect: str, outcome: Outcome, *, once: bool, happens: bool) -> None:
        """Ask for an effect; it happens if acknowledged, not if refused, else by `happens`."""
        if self._acknowledged[effect] and once and outcome == "failed":
            outcome = "ok"  # the same request again is not refused
        self._add("effect", outcome, Attempt(effect, once, effect))
        if outcome == "ok" or (outcome == "unknown" and happens):
            self._there[effect] = 1 if once else self._there[effect] + 1
        if outcome == "ok":
            self._acknowledged[effect] = 1 if once else self._acknowledged[effect] + 1

    def answer(self, outcome: Outcome) -> None:
        """Answer a question rightly, or not at all."""
        self._add("query", outcome, Read("right", "right" if outcome == "ok" else None))

    def result(self, size: int) -> None:
        """Show the rows of a result."""
        self._result(size, [(number, f"digest {number}") for number in range(1, size + 1)])

    def write(self, outcome: Outcome, *, happens: bool) -> None:
        """Raise the register's version."""
        self._newest += 1
        self._add("write", outcome, Write(self._newest))
        if outcome == "ok" or (outcome == "unknown" and happens):
            self._versions.append((self._time, self._newest))

    def read(self, age_s: float) -> None:
        """Show the register as it was `age_s` seconds before the request."""
        version = self._version_at(self._time - age_s)
        self._add("register", "ok", Seen(version, version, age_s))

    # what it must not do

    def lose(self) -> None:
        """Acknowledge, and do nothing."""
        effect = self.fresh()
        self._add("effect", "ok", Attempt(effect, once=True, reply="id"))
        self._acknowledged[effect] = self.lost[effect] = 1

    def double(self, outcome: Outcome, *, once: bool) -> None:
        """Do twice what was asked for one time."""
        effect = self.fresh()
        self._add("effect", "ok" if outcome == "failed" else outcome, Attempt(effect, once, "id"))
        self._there[effect] = 2
        self.duplicated[effect] = 1
        self._acknowledged[effect] = 1 if outcome != "unknown" else 0

    def acknowledge_under_two_ids(self) -> None:
        """Make two things of one key."""
        effect = self.fresh()
        self._add("effect", "ok", Attempt(effect, once=True, reply="one"))
        self._add("effect", "ok", Attempt(effect, once=True, reply="another"))
        # found once under its key; where the other one is, only its id tells
        self._there[effect] = self._acknowledged[effect] = self.duplicated[effect] = 1

    def refuse_and_do(self) -> None:
        """Do what was refused."""
        effect = self.fresh()
        self._add("effect", "failed", Attempt(effect, once=True))
        self._there[effect] = self.unexpected[effect] = 1

    def do_unasked(self) -> None:
        """Do what nobody has asked for."""
        effect = f"unasked {self.fresh()}"
        self._there[effect] = self.unexpected[effect] = 1

    def hide(self) -> None:
        """Acknowledge, and let nobody look."""
        effect = self.fresh()
        self._add("effect", "ok", Attempt(effect, once=False))
        self._acknowledged[effect] = self.unread[effect] = 1
        self._hidden.add(effect)

    def lie(self) -> None:
        """Give a wrong answer."""
        self._wrong("query", Read("right", "wrong"))

    def break_rows(self, size: int, place: int, how: str) -> None:
        """Leave out a row, show one twice, show one too many, or a wrong digest."""
        rows = [(number, f"digest {number}") for number in range(1, size + 1)]
        at = place % size
        effect = f"result {len(self._events)}"
        if how == "lost":
            self.lost[f"{effect} row {rows[at][0]}"] = 1
            del rows[at]
        elif how == "duplicated":
            self.duplicated[f"{effect} row {rows[at][0]}"] = 1
            rows.insert(at, rows[at])
        elif how == "unexpected":
            self.unexpected[f"{effect} row {size + 1}"] = 1
            rows.append((size + 1, "digest"))
        elif how == "wrong":
            self.wrong.append(len(self._events))
            rows[at] = (rows[at][0], "another digest")
        self._result(size, rows)

    def tear(self) -> None:
        """Show two versions in one answer."""
        self._wrong("register", Seen(self._newest, self._newest + 1, 0.0))

    def foretell(self) -> None:
        """Show a version that nobody has written."""
        self._wrong("register", Seen(self._newest + 1, self._newest + 1, 0.0))

    def forget(self) -> None:
        """Show a version that a later one had replaced before the request."""
        self.write("ok", happens=True)
        self.write("ok", happens=True)
        self._wrong("register", Seen(self._newest - 1, self._newest - 1, 0.0))

    def _version_at(self, time: float) -> int:
        return max(version for since, version in self._versions if since <= time)

    def _result(self, size: int, rows: list[tuple[int, str]]) -> None:
        expected = tuple(f"digest {number}" for number in range(1, size + 1))
        effect = f"result {len(self._events)}"
        self._add("result", "ok", Rows(effect, expected, tuple(rows)))

    def _wrong(self, kind: str, value: Value) -> None:
        self.wrong.append(len(self._events))
        self._add(kind, "ok", value)

    def _add(self, kind: str, outcome: Outcome, value: Value) -> None:
        began_at = self._time
        self._time += 1.0
        number = len(self._events)
        self._events.append(Event(number, kind, began_at, began_at + 0.5, outcome, value))
