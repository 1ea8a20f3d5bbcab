"""`millrace jobs`: durable jobs, from submitting them to their results."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode

import click

from cli.api.client import ApiClient
from cli.api.job_events import JobEvents
from cli.errors import CommandError
from cli.job_display import JOB_HEADINGS, Following, job_row, show_job, table
from cli.job_submission import body_of, submitted

Form = Literal["table", "json"]


class JobNotDone(CommandError):
    """The job that was followed failed or was cancelled."""


output = click.option(
    "--output", type=click.Choice(["table", "json"]), default="table", show_default=True,
    help="json: as the API answers.",
)  # fmt: skip


@click.group()
@click.option(
    "--url", default="http://127.0.0.1:8080", show_default=True,
    help="The balancer, or a replica.",
)  # fmt: skip
@click.option("--api-key", default=None, help="Sent as X-API-Key.")
@click.pass_context
def jobs(context: click.Context, url: str, api_key: str | None) -> None:
    """Submit durable jobs, follow them, and fetch what they leave.

    Exit code 1: the API refused, or a job that was followed failed or was cancelled; 2: the command
    makes no sense.
    """
    context.obj = ApiClient(url, api_key)


@jobs.command(name="list")
@click.option("--state", default=None, help="Only those in this state.")
@click.option("--kind", default=None, help="Only those of this kind.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@output
@click.pass_obj
def list_jobs(
    client: ApiClient, state: str | None, kind: str | None, limit: int, output: Form
) -> None:
    """List jobs, newest first."""
    page = client.document("GET", _address("/v1/jobs", state=state, kind=kind, limit=limit))
    _show(page, output, lambda: table(JOB_HEADINGS, list(map(job_row, page["jobs"]))))


@jobs.command()
@click.argument("job_id")
@output
@click.pass_obj
def show(client: ApiClient, job_id: str, output: Form) -> None:
    """Show one job."""
    job = client.document("GET", f"/v1/jobs/{job_id}")
    _show(job, output, lambda: show_job(job))


@jobs.command()
@click.argument("job", type=click.File("r", encoding="utf-8"))
@click.option(
    "--file", type=click.Path(exists=True, dir_okay=False, path_type=Path), default=None,
    help="A file that the job works on; sent with it.",
)  # fmt: skip
@click.option("--key", default=None, help="Idempotency-Key: the same one makes one job.")
@click.option("--follow", "is_followed", is_flag=True, help="Wait for its end.")
@output
@click.pass_obj
def submit(
    client: ApiClient, job: Any, file: Path | None, key: str | None, is_followed: bool, output: Form
) -> None:
    """Submit JOB: a JSON file, or - for standard input, with kind, parameters and priority."""
    made = submitted(client, body_of(job.read()), file, key)
    if is_followed:
        _follow(client, made["id"], output)
    else:
        _show(made, output, lambda: click.echo(made["id"]))


@jobs.command()
@click.argument("job_id")
@output
@click.pass_obj
def follow(client: ApiClient, job_id: str, output: Form) -> None:
    """Follow a job to its end."""
    _follow(client, job_id, output)


def _changing(name: str, method: str, path: str, text: str) -> None:
    @jobs.command(name=name, help=text)
    @click.argument("job_id")
    @output
    @click.pass_obj
    def change(client: ApiClient, job_id: str, output: Form) -> None:
        answer = client.document(method, path.format(job_id))
        job = answer.get("job", answer)
        _show(answer, output, lambda: click.echo(f"{job['id']} {job['state']}"))


_changing("cancel", "DELETE", "/v1/jobs/{}", "Cancel a job; a finished one stays as it is.")
_changing("pause", "POST", "/v1/jobs/{}/pause", "Begin no further task of a job.")
_changing("resume", "POST", "/v1/jobs/{}/resume", "Go on with a paused job.")
_changing("retry", "POST", "/v1/jobs/{}/retry", "Run again what failed of a job.")


@jobs.command()
@click.argument("job_id")
@click.pass_obj
def forget(client: ApiClient, job_id: str) -> None:
    """Delete a finished job with all it left."""
    client.document("DELETE", f"/v1/jobs/{job_id}?forget=true")


def _reading(name: str, text: str) -> None:
    @jobs.command(name=name, help=text)
    @click.argument("job_id")
    @click.option("--to", type=click.Path(dir_okay=False, path_type=Path), default=None,
                  help="A file; standard output without it.")  # fmt: skip
    @click.option("--format", "form", type=click.Choice(["csv", "ndjson"]), default="csv",
                  show_default=True)  # fmt: skip
    @click.option("--partial", is_flag=True, help="What there is, of a job that is not done.")
    @click.pass_obj
    def read(client: ApiClient, job_id: str, to: Path | None, form: str, partial: bool) -> None:
        path = _address(
            f"/v1/jobs/{job_id}/{name}", format=form, partial="true" if partial else None
        )
        _write(client.pieces(path, {}), to)


_reading("result", "Fetch the rows of a job's result; ends with an error unless they are whole.")
_reading("errors", "Fetch the rows that failed.")


@jobs.command()
@click.argument("job_id")
@click.option("--task", type=click.IntRange(min=0), default=None, help="Only of this task.")
@click.option("--level", default=None, help="Only of this level and those above.")
@output
@click.pass_obj
def log(client: ApiClient, job_id: str, task: int | None, level: str | None, output: Form) -> None:
    """Show a job's log, as far as it goes by now."""
    path: str | None = _address(f"/v1/jobs/{job_id}/log", task=task, level=level, limit=500)
    while path is not None:
        page = client.document("GET", path)
        for line in page["lines"]:
            click.echo(json.dumps(line, ensure_ascii=False) if output == "json" else _line(line))
        path = page["next"] if page["lines"] else None


@jobs.command(name="dead-letters")
@click.option("--kind", default=None, help="Only of this kind of job.")
@click.option("--job", default=None, help="Only of this job.")
@click.option("--causes", is_flag=True, help="Count them by cause.")
@output
@click.pass_obj
def dead_letters(
    client: ApiClient, kind: str | None, job: str | None, causes: bool, output: Form
) -> None:
    """List tasks that were given up."""
    path = "/v1/dead-letters/causes" if causes else "/v1/dead-letters"
    found = client.document("GET", _address(path, kind=kind, job=job))
    if causes:
        rows = [(one["count"], one["jobs"], one["kind"], one["cause"]) for one in found["causes"]]
        _show(found, output, lambda: table(("count", "jobs", "kind", "cause"), rows))
        return
    letters = [
        (one["job"], one["task"], one["kind"], one["attempts"], one["cause"])
        for one in found["dead_letters"]
    ]
    _show(found, output, lambda: table(("job", "task", "kind", "attempts", "cause"), letters))


@jobs.command()
@click.option("--kind", default=None, help="Those of this kind of job.")
@click.option("--job", default=None, help="Those of this job.")
@click.option("--cause", default=None, help="Those with this cause.")
@click.option("--all", "is_all", is_flag=True, help="All there are.")
@click.option("--over-s", type=click.FloatRange(min=0), default=0.0, help="Spread over seconds.")
@click.option("--dry-run", is_flag=True, help="Only tell which.")
@output
@click.pass_obj
def replay(
    client: ApiClient, kind: str | None, job: str | None, cause: str | None, is_all: bool,
    over_s: float, dry_run: bool, output: Form,
) -> None:  # fmt: skip
    """Run dead letters again."""
    given = {"kind": kind, "job": job, "cause": cause, "all": True if is_all else None}
    chosen = {name: value for name, value in given.items() if value is not None}
    if not chosen:
        raise click.UsageError("Say which: --kind, --job, --cause, or --all.")
    body = {"filter": chosen, "over_s": over_s, "dry_run": dry_run}
    outcome = client.document("POST", "/v1/dead-letters/replay", body)
    causes = outcome["causes"] or []
    rows = [(one["count"], one["jobs"], one["kind"], one["cause"]) for one in causes]

    def told() -> None:
        if dry_run:
            table(("count", "jobs", "kind", "cause"), rows)
        else:
            click.echo(f"{outcome['replayed']} tasks run again")

    _show(outcome, output, told)


def _follow(client: ApiClient, job_id: str, output: Form) -> None:
    with Following() as following:
        for event in JobEvents(client).follow(job_id):
            following.show(event)
    job = client.document("GET", f"/v1/jobs/{job_id}")
    _show(job, output, lambda: show_job(job))
    if job["state"] != "done":
        why = f": {job['error']['message']}" if job["error"] else ""
        raise JobNotDone(f"The job {job_id} is {job['state']}{why}.")


def _show(document: object, output: Form, as_table: Callable[[], None]) -> None:
    if output == "json":
        click.echo(json.dumps(document, ensure_ascii=False))
    else:
        as_table()


def _line(line: dict[str, Any]) -> str:
    where = "" if line["task"] is None else f" [task {line['task']}, attempt {line['attempt']}]"
    what = "" if line["event"] == "log" else f" {line['event']}"
    return f"{line['at']} {line['level']:<7}{where}{what} {line['message']}".rstrip()


def _write(pieces: Iterator[bytes], to: Path | None) -> None:
    if to is None:
        for piece in pieces:
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
        return
    # under its name only when it is whole
    part = to.with_name(f"{to.name}.part")
    with part.open("wb") as file:
        file.writelines(pieces)
    part.replace(to)


def _address(path: str, **parameters: str | int | None) -> str:
    given = {name: value for name, value in parameters.items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path
