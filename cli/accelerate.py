"""`millrace accelerate`: have tables copied into segments, see how far that is, and end it."""

import json
import time
from typing import Any
from urllib.parse import quote

import click

from cli.api.client import ApiClient
from cli.errors import CommandError
from cli.job_display import table

# at first, for small tables; then so seldom that a client's limit leaves room for others
FIRST_POLL_S, LONGEST_POLL_S = 0.3, 3.0
MEBIBYTE = 1024**2


class NotAccelerated(CommandError):
    """The table cannot be accelerated, or was not in time."""


@click.command()
@click.argument("name", metavar="TABLE", required=False)
@click.option("--wait", is_flag=True, help="Until each key range has a copy, or none is left.")
@click.option(
    "--wait-s", type=click.FloatRange(min=0, min_open=True), default=3600.0, show_default=True,
    help="How long --wait waits.",
)  # fmt: skip
@click.option("--remove", is_flag=True, help="Have it accelerated no more.")
@click.option("--list", "is_list", is_flag=True, help="Show all tables that are, or are to be.")
@click.option(
    "--url", default="http://127.0.0.1:8080", show_default=True,
    help="The balancer, or a replica.",
)  # fmt: skip
@click.option("--api-key", default=None, help="Sent as X-API-Key.")
@click.option("--admin-token", default=None, help="MILLRACE_LB_ADMIN_TOKEN, if the balancer has.")
@click.option(
    "--output", type=click.Choice(["table", "json"]), default="table", show_default=True,
    help="json: as the API answers.",
)  # fmt: skip
def accelerate(
    name: str | None, wait: bool, wait_s: float, remove: bool, is_list: bool, url: str,
    api_key: str | None, admin_token: str | None, output: str,
) -> None:  # fmt: skip
    """Have TABLE (or schema.table) copied into segments, which answer its large queries."""
    if is_list == (name is not None) or (is_list and (wait or remove)):
        raise click.UsageError("Give the name of a table, or --list alone.")
    client = ApiClient(url, api_key)
    headers = {} if admin_token is None else {"Authorization": f"Bearer {admin_token}"}
    if name is None:
        found = client.document("GET", "/v1/tables")
        tables = [one for one in found["tables"] if one["acceleration"] is not None]
    else:
        path = f"/v1/tables/{quote(name, safe='')}"
        method = "DELETE" if remove else "POST"
        client.document(method, f"{path}/acceleration", headers=headers)
        document = client.document("GET", path)
        if wait:
            document = _await_end(client, path, document, remove=remove, wait_s=wait_s)
        tables = [document]
    if output == "json":
        click.echo(json.dumps(tables if is_list else tables[0], ensure_ascii=False))
    else:
        _show(tables)


def _await_end(
    client: ApiClient, path: str, document: dict[str, Any], *, remove: bool, wait_s: float
) -> dict[str, Any]:
    """Return the table's document when there is nothing left to do.  Raises NotAccelerated."""
    deadline = time.monotonic() + wait_s
    pause_s = FIRST_POLL_S
    while True:
        known = document["acceleration"]
        if known is None or (known["state"] == "ready" and not remove):
            return document
        if known["state"] == "refused" and not remove:
            failure = known["failure"]
            raise NotAccelerated(f"{failure['reason']} {failure['remedy']}")
        if time.monotonic() > deadline:
            raise NotAccelerated(
                f"After {wait_s:g} s: {known['state']}, {known['copied_buckets']} of "
                f"{known['buckets']} key ranges copied. Does a worker with "
                "MILLRACE_SEGMENTS_FOLDER run?"
            )
        time.sleep(pause_s)
        pause_s = min(LONGEST_POLL_S, 1.5 * pause_s)
        document = client.document("GET", path)


def _show(tables: list[dict[str, Any]]) -> None:
    rows = []
    for one in tables:
        known = one["acceleration"]
        if known is None:
            rows.append((one["name"], "not accelerated", *[""] * 5, ""))
            continue
        failure = known["failure"]
        hits = "" if known["hit_share"] is None else f"{known['hit_share']:.0%}"
        rows.append(
            (
                one["name"], known["state"], f"{known['copied_buckets']}/{known['buckets']}",
                f"{known['clean_share']:.0%}", known["rows"], f"{known['bytes'] / MEBIBYTE:.1f}",
                hits, "" if failure is None else f"{failure['code']}: {failure['reason']}",
            )
        )  # fmt: skip
    table(("table", "state", "copied", "clean", "rows", "MiB", "hits", "problem"), rows)
    for one in tables:
        for left in (one["acceleration"] or {}).get("left_out", []):
            click.echo(f"{one['name']}: {left['column']} is left out: {left['reason']}")
