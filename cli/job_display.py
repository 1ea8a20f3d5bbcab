"""Jobs as a person reads them."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from cli.api.job_events import Event


def table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows below headings; not rich's table, which cuts ids to the terminal's width."""
    texts = [["" if cell is None else str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(headings, *texts, strict=True)]
    for row in (headings, *texts):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def job_row(job: Mapping[str, Any]) -> tuple[object, ...]:
    """Return a job as a line of a table of JOB_HEADINGS."""
    progress = job["progress"]
    share = "" if progress["share"] is None else f"{progress['share']:.0%}"
    return (job["id"], job["kind"], job["state"], job["priority"], share, progress["rows"],
            job["created_at"])  # fmt: skip


JOB_HEADINGS = ("id", "kind", "state", "priority", "share", "rows", "created")


def show_job(job: Mapping[str, Any]) -> None:
    """Print all that is told of one job."""
    progress = dict(job["progress"])
    tasks = ", ".join(f"{count} {state}" for state, count in sorted(progress["tasks"].items()))
    told = {
        **{name: job[name] for name in ("id", "kind", "state", "priority")},
        **{name: job[name] for name in ("created_at", "started_at", "finished_at", "expires_at")},
        "tasks": tasks,
        **{name: value for name, value in progress.items() if name != "tasks"},
        "error": None
        if job["error"] is None
        else f"{job['error']['class']}: {job['error']['message']}",
        "parameters": job["parameters"],
        "summary": job["summary"],
    }
    table(("member", "value"), [item for item in told.items() if item[1] is not None])


class Following:
    """Shows on standard error how a job goes: a bar on a terminal, lines of its log elsewhere."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(),
            TextColumn("{task.percentage:>3.0f}%  {task.fields[rows]} rows"),
            TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal,
        )  # fmt: skip
        self._task = self._bar.add_task("queued", total=1.0, rows=0)

    def __enter__(self) -> Self:
        """Begin."""
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._bar.stop()

    def show(self, event: Event) -> None:
        """Show one event."""
        data = event.data
        if event.name == "progress":
            self._bar.update(
                self._task, description=data["state"], completed=data["share"] or 0.0,
                rows=data["rows"],
            )  # fmt: skip
        elif event.id is not None:
            what = data["message"] if event.name == "log" else f"{event.name} {data['message']}"
            where = "" if data["task"] is None else f" [task {data['task']}]"
            line = f"{data['at']} {data['level']}{where} {what}".rstrip()
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
