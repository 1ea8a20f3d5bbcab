"""`millrace diff`: two tables compared by a job, which is followed to its end."""

import json
import sys
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any, Literal

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from cli.errors import CommandError
from cli.job_client import JobClient

POLL_S = 0.3
OVER = frozenset({"done", "failed", "cancelled"})
DIFFERENT = 1

Form = Literal["table", "json"]


class DiffFailed(CommandError):
    """The job did not come to an end, so it is not known whether the tables differ."""

    exit_code = 2


@click.command()
@click.argument("left")
@click.argument("right")
@click.option(
    "--key", multiple=True, help="Column of the key; repeatable.  [default: the primary key]"
)
@click.option(
    "--column", "columns", multiple=True,
    help="Column to compare; repeatable.  [default: all that both have]",
)  # fmt: skip
@click.option("--where", default=None, help="Condition on the rows of both.")
@click.option(
    "--limit", type=click.IntRange(min=0), default=1000, show_default=True,
    help="Most differences to show; all are counted.",
)  # fmt: skip
@click.option(
    "--output", type=click.Choice(["table", "json"]), default="table", show_default=True,
    help="json: a line for each difference, and the summary last.",
)  # fmt: skip
@click.option(
    "--url", default="http://127.0.0.1:8080", show_default=True, help="The balancer, or a replica."
)
@click.option("--api-key", default=None, help="Sent as X-API-Key.")
def diff(
    left: str, right: str, key: tuple[str, ...], columns: tuple[str, ...], where: str | None,
    limit: int, output: Form, url: str, api_key: str | None,
) -> None:  # fmt: skip
    """Compare the tables LEFT and RIGHT, row by row.

    A table of another database is given as DATABASE:TABLE, by its name from the settings.  Exit
    code 0: they are equal; 1: they differ; 2: it is not known, since something went wrong.
    """
    client = JobClient(url, api_key)
    parameters: dict[str, Any] = {
        "left": _side(left), "right": _side(right), "limit": limit,
        "key": list(key) or None, "columns": list(columns) or None, "where": where,
    }  # fmt: skip
    path = client.submit("diff_tables", parameters)
    try:
        job = _followed(client, path)
    except KeyboardInterrupt:
        client.cancel(path)
        raise DiffFailed("Cancelled; so is the job.") from None
    if job["state"] != "done":
        reason = (job["error"] or {}).get("message") or job["state"]
        raise DiffFailed(f"{path} {job['state']}: {reason}")
    summary = job["summary"]
    rows = client.rows(f"{path}/result") if summary["shown"] else iter(())
    if output == "json":
        _print_json(rows, limit, summary)
    else:
        _print_table(rows, limit, summary)
    if not summary["equal"]:
        sys.exit(DIFFERENT)


def _side(text: str) -> dict[str, str | None]:
    database, separator, table = text.partition(":")
    return {"table": table, "database": database} if separator else {"table": text}


def _followed(client: JobClient, path: str) -> dict[str, Any]:
    """Return the job once it is over; a bar on a terminal shows how far it is."""
    console = Console(stderr=True)
    columns = (
        TextColumn("comparing"), BarColumn(), TextColumn("{task.completed:,.0f} rows"),
        TimeElapsedColumn(),
    )  # fmt: skip
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        shown = progress.add_task("comparing", total=None)
        while True:
            job = client.job(path)
            told = job["progress"]
            progress.update(shown, completed=told["rows"], total=told["expected_rows"])
            if job["state"] in OVER:
                return job
            time.sleep(POLL_S)


def _print_json(rows: Iterator[list[Any]], limit: int, summary: dict[str, Any]) -> None:
    names = ("side", "key", "columns", "left", "right")
    for row in islice(rows, limit):
        click.echo(json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False))
    click.echo(json.dumps({"summary": summary}, ensure_ascii=False))


def _print_table(rows: Iterator[list[Any]], limit: int, summary: dict[str, Any]) -> None:
    marks = {"only_left": "<", "only_right": ">", "different": "!"}
    for side, key, columns, left, right in islice(rows, limit):
        named = ", ".join(f"{name}={value}" for name, value in key.items())
        changes = [f"{name}: {_text(left[name])} | {_text(right[name])}" for name in columns or ()]
        click.echo("  ".join([marks[side], named, *changes]))
    counts = (
        f"{summary['only_left']:,} only left, {summary['only_right']:,} only right, "
        f"{summary['different']:,} different, {summary['equal_rows']:,} equal"
    )
    click.echo(counts if not summary["equal"] else f"equal: {counts}", err=True)


def _text(value: str | None) -> str:
    return "NULL" if value is None else json.dumps(value, ensure_ascii=False)
