"""One drill: load, faults one after the other, the wait for normal after each, and the account."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import psycopg

from cli.drill.checker import check
from cli.drill.client import Client
from cli.drill.connection import Connection
from cli.drill.drain import Drain
from cli.drill.errors import NotNormal
from cli.drill.event import Source
from cli.drill.fault_run import FaultRun
from cli.drill.history import History
from cli.drill.known_answers import KnownAnswers
from cli.drill.load import Load, seeded
from cli.drill.mix import Mix
from cli.drill.normality import Normality
from cli.drill.promises import Promises
from cli.drill.register import Writer
from cli.drill.verdict import Verdict, by_fault, traffic
from cli.faults.control import ControlFailed
from cli.faults.fault import Fault, FaultImpossible, UndoFailed

FIRST_LIMIT_S = 60.0
PROBE_TIMEOUT_S = 5.0
BEFORE_S, AFTER_S = 0.2, 1.0  # of load alone between faults, at least and at most
LIMITED = "429"


@dataclass(frozen=True)
class Wishes:
    """What the person asked for.  `minutes` None: until the faults are through."""

    seed: int
    clients: int
    rate: float
    minutes: float | None
    normal_limit_s: float
    drain_limit_s: float
    timeout_s: float


class Drill:
    """Runs once.  `interrupted` ends the faults, `hurried` also the drain.

    `missing` tells what the stack is short of.
    """

    def __init__(
        self, wishes: Wishes, address: str, database_url: str, schema: str, answers: KnownAnswers,
        history: History, prefix: str, say: Callable[[str], None],
        missing: Callable[[], Sequence[str]],
    ) -> None:  # fmt: skip
        self.interrupted, self.hurried = threading.Event(), threading.Event()
        self._wishes = wishes
        self._address = address
        self._history = history
        self._say = say
        promises = Promises(prefix)
        mix = Mix(answers, promises)
        self._load_over = threading.Event()
        clients = [
            self._client(f"client {number}", "client", wishes.timeout_s, self._load_over)
            for number in range(1, wishes.clients + 1)
        ]
        self._load = Load(mix.load, wishes.rate, clients, self._load_over)
        self._writer = Writer(database_url, schema, history)
        self._normality = Normality(mix.probes, self._probe, missing, history.now)
        self._drain = Drain(database_url, mix, promises, self._looker)
        self._rng = seeded(wishes.seed, "drill")
        self._runs: list[FaultRun] = []
        self._impossible: dict[str, str] = {}

    def begin(self) -> None:
        """See that all is normal, then begin to load.  Raises NotNormal."""
        self._writer.start()
        normal = self._normality.wait(FIRST_LIMIT_S, self.interrupted)
        endings = {event.ending for event in self._history.events()}
        if any(ending.startswith(LIMITED) for ending in endings):
            raise NotNormal(
                "The balancer refuses the drill's requests as too many (429). Start the stack "
                "with MILLRACE_RATE_LIMIT=off, or with a limit far above the drill's rate."
            )
        if normal.missing and not self.interrupted.is_set():
            raise NotNormal(
                f"Without any fault this is not normal: {', '.join(normal.missing)}. They ended as "
                f"{', '.join(sorted(endings))}. See `curl {self._address}/v1/status`."
            )
        self._load.start()

    def soak(self) -> None:
        """Load for the time that was wished, and nothing else."""
        self.interrupted.wait((self._wishes.minutes or 0.0) * 60)

    def go_through(self, faults: Iterator[Fault]) -> None:
        """Bring about one fault after the other, until they or the time are over.

        A fault that is in place is undone whatever happens.
        """
        minutes = self._wishes.minutes
        end = float("inf") if minutes is None else self._history.now() + minutes * 60
        for fault in faults:
            if self._history.now() >= end:
                break
            if self.interrupted.wait(self._rng.uniform(BEFORE_S, AFTER_S)):
                break
            try:
                self._go_through(fault)
            except (FaultImpossible, ControlFailed) as error:
                self._impossible[fault.name] = str(error)
                self._say(f"{self._time()}  {fault.name:22} not brought about: {error}")

    def _go_through(self, fault: Fault) -> None:
        began_at = self._history.now()
        injected = fault.inject()
        undone_at, trouble = None, ""
        try:
            self.interrupted.wait(injected.hold_s)
        finally:
            try:
                injected.undo()
            except UndoFailed as error:
                trouble = str(error)
        if injected.hold_s > 0:
            undone_at = self._history.now()
        normal = self._normality.wait(self._wishes.normal_limit_s, self.interrupted)
        run = FaultRun(
            fault.name, fault.tier, injected.description, began_at, undone_at, normal.at,
            normal.whole_at, self._history.now(), normal.missing, not self.interrupted.is_set(),
            trouble,
        )  # fmt: skip
        self._runs.append(run)
        self._say(self._line(run))

    def finish(self) -> Verdict:
        """End the load, wait for what was promised, look at all of it, and judge."""
        self._load.stop(self._wishes.timeout_s + 5.0)
        self._writer.stop(5.0)
        seconds = self._history.now()
        self._say("Load ended; waiting for what was promised, then looking at all of it")
        try:
            self._drain.run(self._wishes.drain_limit_s, self.hurried)
        except psycopg.Error as error:  # then what was acknowledged stays unread in the account
            self._say(f"PostgreSQL cannot be asked what is there: {error}")
        events = self._history.events()
        return Verdict(
            self._wishes.seed, seconds, traffic(events), by_fault(self._runs, events), self._runs,
            self._impossible, check(events), self._drain.given_up, self._drain.unfinished,
        )  # fmt: skip

    def _probe(self, name: str, over: threading.Event) -> Client:
        return self._client(name, "probe", PROBE_TIMEOUT_S, over)

    def _looker(self, name: str) -> Client:
        return self._client(name, "drill", self._wishes.timeout_s, self.hurried)

    def _client(self, name: str, source: Source, timeout_s: float, over: threading.Event) -> Client:
        connection = Connection(self._address, timeout_s, self._history.now)
        rng = seeded(self._wishes.seed, name)
        return Client(connection, self._history, rng, source, over.wait)

    def _time(self) -> str:
        minutes, seconds = divmod(int(self._history.now()), 60)
        return f"{minutes:3d}:{seconds:02d}"

    def _line(self, run: FaultRun) -> str:
        if run.recovery_s is not None and run.whole_s is not None:
            ending = f"right after {run.recovery_s:.1f} s, whole after {run.whole_s:.1f} s"
        elif not run.is_awaited:
            ending = "interrupted"
        else:
            ending = f"NOT NORMAL after {run.ended_at - run.injected_at:.0f} s: " + ", ".join(
                run.missing
            )
        trouble = f"  NOT UNDONE: {run.trouble}" if run.trouble else ""
        return f"{self._time()}  {run.name:22} {ending:38} {run.description}{trouble}"
