"""A verdict for people: lines of text; and for machines: a JSON document."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from cli.drill.resources import Sampler, Snapshot, Usage
from cli.drill.verdict import Traffic, Verdict

MOST_EXAMPLES = 10
_ACCOUNT = ("lost", "unexpected", "duplicated", "unread")


def lines(verdict: Verdict, resources: Sampler) -> Iterator[str]:
    """Yield the verdict, its last lines the judgement."""
    yield ""
    yield from _faults(verdict)
    yield from _resources(resources)
    yield from _load(verdict)
    yield from _account(verdict)
    yield ""
    if verdict.has_passed:
        yield "PASSED: nothing wrong, nothing lost, nothing doubled, and all normal in the end"
    else:
        yield "FAILED:"
        yield from (f"  {reason}" for reason in verdict.reasons)


def document(verdict: Verdict, resources: Sampler) -> dict[str, Any]:
    """Return all of it as JSON has it; durations in seconds, sizes in bytes."""
    account = verdict.account
    return {
        "passed": verdict.has_passed,
        "reasons": list(verdict.reasons),
        "seed": verdict.seed,
        "seconds": verdict.seconds,
        "load": _traffic(verdict.load),
        "faults": [{**asdict(one), "seen": _traffic(one.seen)} for one in verdict.faults],
        "runs": [
            {**asdict(run), "recovery_s": run.recovery_s, "whole_s": run.whole_s}
            for run in verdict.runs
        ],
        "not_brought_about": dict(verdict.impossible),
        "account": {
            "acknowledged": account.acknowledged.total(),
            "ok": account.ok.total(),
            "recovered": account.recovered.total(),
            "rows": account.rows,
            **{name: dict(getattr(account, name)) for name in _ACCOUNT},
            "wrong": [asdict(one) for one in account.wrong],
        },
        "given_up": dict(verdict.given_up),
        "unfinished": verdict.unfinished,
        "resources": {name: asdict(getattr(resources, name)) for name in ("start", "end", "peak")},
    }


def _traffic(seen: Traffic) -> dict[str, Any]:
    return {
        **asdict(seen),
        "connection_errors": seen.connection_errors,
        "error_share": seen.error_share,
        "stale_share": seen.stale_share,
    }


def _faults(verdict: Verdict) -> Iterator[str]:
    if verdict.faults:
        headings = (
            "fault", "times", "requests", "ok", "stale", "errors", "of these connections",
            "slowest s", "right after s: median", "worst", "whole after s: median", "worst",
        )  # fmt: skip
        yield from _table(
            headings,
            [
                (
                    one.name, one.runs, one.seen.requests, one.seen.ok, one.seen.stale,
                    one.seen.requests - one.seen.ok, one.seen.connection_errors,
                    f"{one.seen.slowest_s:.1f}", _seconds(one.median_s), _seconds(one.worst_s),
                    _seconds(one.whole_median_s),
                    _seconds(one.whole_worst_s) + (" FAILED" if one.failures else ""),
                )
                for one in verdict.faults
            ],
        )  # fmt: skip
        yield ""
        yield "What clients saw while each was there, and until all was normal:"
        for one in verdict.faults:
            yield f"  {one.name}: {_endings(one.seen.errors)}"
        yield ""
    for name, why in verdict.impossible.items():
        yield f"Could not be brought about at least once: {name}: {why}"


def _load(verdict: Verdict) -> Iterator[str]:
    load = verdict.load
    yield ""
    yield f"Seed {verdict.seed}, {verdict.seconds:.0f} s, {len(verdict.runs)} faults"
    yield (
        f"Requests: {load.requests:,}; {load.error_share:.2%} ended in an error, "
        f"{load.stale_share:.2%} were answered stale; the slowest took {load.slowest_s:.1f} s"
    )
    yield f"Errors: {_endings(load.errors)}"
    if verdict.is_limited:
        yield (
            "The balancer has refused requests as too many (429): start the stack with "
            "MILLRACE_RATE_LIMIT=off, so that it is the faults that are measured"
        )


def _account(verdict: Verdict) -> Iterator[str]:
    account = verdict.account
    yield (
        f"Effects: {account.acknowledged.total():,} acknowledged, {account.ok.total():,} found ok, "
        f"{account.recovered.total():,} found though their outcome was unknown; "
        f"{account.rows:,} rows of results looked at"
    )
    yield (
        f"Wrong answers: {len(account.wrong)}; lost: {account.lost.total()}; doubled: "
        f"{account.duplicated.total()}; unexpected: {account.unexpected.total()}"
    )
    for wrong in account.wrong[:MOST_EXAMPLES]:
        yield f"  wrong, event {wrong.event} ({wrong.kind}): {wrong.why[:300]}"
    for name in _ACCOUNT:
        counts: Counter[str] = getattr(account, name)
        for effect, count in counts.most_common(MOST_EXAMPLES):
            yield f"  {name}: {effect} ({count})"
    for key, error in verdict.given_up.items():
        yield f"  job {key} was given up and retried by the drill: {error}"


def _resources(resources: Sampler) -> Iterator[str]:
    """Yield what each program held at the start, at the end, and at most; processes at the end."""
    snapshots = (resources.start, resources.end, resources.peak)
    rows: list[tuple[object, ...]] = []
    for name in sorted(resources.peak.programs):
        held = [_usage(one.programs.get(name)) for one in snapshots]
        rows.append((name, held[1][0], *(cell[part] for part in (1, 2, 3) for cell in held)))
    headings = (
        "held: start, end, most",
        "processes",
        "MB",
        "",
        "",
        "descriptors",
        "",
        "",
        "threads",
    )
    if rows:
        yield from _table((*headings, "", ""), rows)
        yield ""
    servers = [(name, *_server(name, snapshots)) for name in sorted(resources.peak.servers)]
    yield from _table(("", "start", "end", "most"), servers)


def _usage(usage: Usage | None) -> tuple[str, ...]:
    if usage is None:
        return ("-", "-", "-", "-")
    megabytes = f"{usage.rss / 1_000_000:.0f}"
    return (str(usage.processes), megabytes, str(usage.descriptors), str(usage.threads))


def _server(name: str, snapshots: Iterable[Snapshot]) -> Iterator[str]:
    for one in snapshots:
        yield f"{one.servers[name]:,}" if name in one.servers else "-"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _endings(errors: Mapping[str, int]) -> str:
    return ", ".join(f"{count} x {ending}" for ending, count in errors.items()) or "no errors"


def _table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    """Yield lines of columns: the first to the left, the others to the right."""
    texts = [list(map(str, row)) for row in (headings, *rows)]
    widths = [max(len(row[place]) for row in texts) for place in range(len(headings))]
    for row in texts:
        first, *others = (text.rjust(width) for text, width in zip(row, widths, strict=True))
        yield "  ".join((first.strip().ljust(widths[0]), *others)).rstrip()
