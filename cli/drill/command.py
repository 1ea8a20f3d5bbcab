"""`millrace drill`: harm a stack that was started to be harmed, and account for everything."""

import json
import random
import secrets
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import FrameType

import click
import psycopg
from psycopg.rows import TupleRow

from cli.drill import report
from cli.drill.compose_target import ComposeTarget
from cli.drill.errors import DrillFailed, DrillImpossible
from cli.drill.history import History
from cli.drill.known_answers import known_answers
from cli.drill.load import seeded
from cli.drill.register import CONNECT_LIMIT_S, drop_register, make_register
from cli.drill.resources import Sampler
from cli.drill.run import Drill, Wishes
from cli.drill.sequence import each_repeated, random_faults
from cli.drill.target import MachineTarget, Target
from cli.drill.verdict import Verdict
from cli.faults.catalogue import Fault, Stack
from cli.settings import default_data_folder
from db.settings import DatabaseSettings

ALL, NONE = "all", "none"
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
MOST_SEED = 1_000_000


@click.command()
@click.option(
    "--data", type=click.Path(path_type=Path), default=None,
    help="Data folder of a `millrace up --drill`; with --compose only for histories.  "
    "[default: .millrace of the checkout]",
)  # fmt: skip
@click.option(
    "--compose", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), default=None,
    metavar="FILE", help="Instead: a stack in containers, started from this compose file.",
)  # fmt: skip
@click.option(
    "--project", default="millrace", show_default=True, help="Of --compose: the project's name."
)
@click.option(
    "--faults", default=ALL, show_default=True, metavar="all|none|NAME,…",
    help="Which faults; none: load alone.",
)  # fmt: skip
@click.option("--list", "list_", is_flag=True, help="Only list the faults.")
@click.option(
    "--minutes", type=click.FloatRange(0, min_open=True), default=None,
    help="How long faults come at random, or load alone.  [default: 15]",
)  # fmt: skip
@click.option(
    "--repeat", type=click.IntRange(1), default=None,
    help="Instead of at random: each fault so many times, one kind after the other.",
)  # fmt: skip
@click.option(
    "--count", type=click.IntRange(1), default=None,
    help="At random: end after so many faults, if --minutes are not over before.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=None, help="[default: drawn, and printed]")
@click.option(
    "--clients", type=click.IntRange(1, 256), default=8, show_default=True,
    help="How many ask at once.",
)  # fmt: skip
@click.option(
    "--rate", type=click.FloatRange(0.1, 10_000), default=40.0, show_default=True,
    help="Requests a second of all clients together.",
)  # fmt: skip
@click.option(
    "--timeout-s", type=click.FloatRange(0.1), default=15.0, show_default=True,
    help="Silence after which a client gives a request up.",
)  # fmt: skip
@click.option(
    "--normal-limit-s", type=click.FloatRange(1), default=90.0, show_default=True,
    help="When all is not normal so long after a fault, the drill has failed; it goes on.",
)  # fmt: skip
@click.option(
    "--drain-limit-s", type=click.FloatRange(1), default=120.0, show_default=True,
    help="How long promised work may take after the load has ended.",
)  # fmt: skip
@click.option(
    "--history", type=click.Path(dir_okay=False, path_type=Path), default=None,
    help="File for the history, NDJSON.  [default: DATA/drills/SEED-….ndjson]",
)  # fmt: skip
@click.option(
    "--json", "json_", type=click.Path(dir_okay=False, path_type=Path), default=None,
    help="File for the verdict as JSON.",
)  # fmt: skip
def drill(
    data: Path | None, file: Path | None, project: str, faults: str, minutes: float | None,
    repeat: int | None, count: int | None, seed: int | None, clients: int, rate: float,
    timeout_s: float, normal_limit_s: float, drain_limit_s: float, history: Path | None,
    json_: Path | None, *, list_: bool,
) -> None:  # fmt: skip
    """Bring faults about under load, check every answer, and account for everything promised.

    Only against a stack that was started to be harmed: with `millrace up --drill`, or from a
    compose file with MILLRACE_DRILL=allowed. Exit code 0: nothing wrong, lost or doubled, and all
    became normal again.
    """
    if repeat is not None and (minutes is not None or count is not None):
        raise click.UsageError("--repeat ends by itself: leave out --minutes and --count.")
    folder = (data or default_data_folder()).resolve()
    chosen_seed = secrets.randbelow(MOST_SEED) if seed is None else seed
    rng = seeded(chosen_seed, "faults")
    with closing(_target(folder, file, project)) as target:
        known = target.catalogue(rng)
        if list_:
            for fault in known.values():
                click.echo(f"{fault.name:24} {fault.tier}")
            return
        names = _names(faults, list(known))
        order = _order(names, rng, repeat, count)
        given_minutes = None if repeat is not None else (minutes or 15.0)
        wishes = Wishes(
            chosen_seed, clients, rate, given_minutes, normal_limit_s, drain_limit_s, timeout_s
        )
        target.mend()
        token = secrets.token_hex(4)
        path = history or target.drills / f"{chosen_seed}-{token}.ndjson"
        click.echo(f"Seed {chosen_seed}; history: {path}")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8") as output:
            sequence = (known[name] for name in order) if names else None
            verdict, sampler = _run(target, wishes, History(output), f"drill-{token}", sequence)
    for line in report.lines(verdict, sampler):
        click.echo(line)
    if json_ is not None:
        json_.write_text(json.dumps(report.document(verdict, sampler), indent=1))
    if not verdict.has_passed:
        raise DrillFailed(f"a promise was broken; look for it in {path}")


def _target(folder: Path, file: Path | None, project: str) -> Target:
    """Return what is to be harmed.  Raises DrillRefused."""
    if file is None:
        return MachineTarget(Stack.of(folder))
    return ComposeTarget.open(file, project, folder / "drills")


def _names(asked: str, known: list[str]) -> list[str]:
    if asked == NONE:
        return []
    if asked == ALL:
        return known
    names = [name.strip() for name in asked.split(",") if name.strip()]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise click.UsageError(
            f"--faults {asked}: there is no {', '.join(unknown) or 'fault'}. "
            f"All there are: {', '.join(known)}."
        )
    return names


def _order(
    names: list[str], rng: random.Random, repeat: int | None, count: int | None
) -> Iterator[str]:
    if repeat is not None:
        yield from each_repeated(names, repeat)
        return
    for place, name in enumerate(random_faults(names, rng)):
        if place == count:
            return
        yield name


def _run(
    target: Target, wishes: Wishes, history: History, prefix: str, faults: Iterator[Fault] | None
) -> tuple[Verdict, Sampler]:
    schema = DatabaseSettings(url=target.database_url).schema_name
    with _connected(target.database_url) as connection:
        answers = known_answers(connection, seeded(wishes.seed, "answers"))
        make_register(connection, schema)
    sampler = Sampler(target.snapshot)
    drill = Drill(
        wishes, target.address, target.database_url, schema, answers, history, prefix, click.echo,
        target.whole(),
    )  # fmt: skip
    try:
        with _interrupting(drill):
            drill.begin()
            sampler.begin()
            if faults is None:
                drill.soak()
            else:
                drill.go_through(faults)
            verdict = drill.finish()
            sampler.stop()
    finally:
        # a PostgreSQL that is still away is told in the verdict; the next drill drops the table
        with (
            suppress(DrillImpossible, psycopg.Error),
            _connected(target.database_url) as connection,
        ):
            drop_register(connection, schema)
    return verdict, sampler


@contextmanager
def _connected(url: str) -> Iterator[psycopg.Connection[TupleRow]]:
    try:
        with psycopg.connect(
            url, autocommit=True, connect_timeout=CONNECT_LIMIT_S,
            application_name="millrace/drill",
        ) as connection:  # fmt: skip
            yield connection
    except psycopg.OperationalError as error:
        raise DrillImpossible(f"PostgreSQL of the stack cannot be asked: {error}") from error


@contextmanager
def _interrupting(drill: Drill) -> Iterator[None]:
    """Let a signal end the faults, and a second one the wait for what was promised."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        if drill.interrupted.is_set():
            drill.hurried.set()
        drill.interrupted.set()
        click.echo("Interrupted: undoing, then looking at what was promised; once more: at once")

    before = {number: signal.signal(number, interrupt) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
