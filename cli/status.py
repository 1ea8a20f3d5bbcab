"""`millrace status`: how the whole is doing, on one screen."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Literal

import click

from cli.api.client import ApiClient
from cli.errors import CommandError
from cli.job_display import table

READY, DEGRADED, AWAY = 0, 1, 2
PATIENCE_S = 5.0

Document = Mapping[str, Any]
Row = tuple[str, str]


@click.command()
@click.option(
    "--url", default="http://127.0.0.1:8080", show_default=True,
    help="The balancer, or a replica.",
)  # fmt: skip
@click.option(
    "--admin-url", default="http://127.0.0.1:8081", show_default=True,
    help="The balancer's own address, for operators.",
)  # fmt: skip
@click.option("--admin-token", default=None, help="MILLRACE_LB_ADMIN_TOKEN, if the balancer has.")
@click.option("--api-key", default=None, help="Sent as X-API-Key.")
@click.option(
    "--output", type=click.Choice(["table", "json"]), default="table", show_default=True,
    help="json: what the replica and the balancer answer.",
)  # fmt: skip
@click.pass_context
def status(
    context: click.Context,
    url: str,
    admin_url: str,
    admin_token: str | None,
    api_key: str | None,
    output: Literal["table", "json"],
) -> None:
    """Show how Millrace is doing.

    Exit code 0: all is well; 1: it serves, though not as usual; 2: it does not answer, or says that
    it cannot serve.
    """
    try:
        found = ApiClient(url, api_key, silence_s=PATIENCE_S).document("GET", "/v1/status")
    except CommandError as error:
        click.echo(f"Millrace does not answer at {url}: {error}", err=True)
        context.exit(AWAY)
    balancer = _balancer(admin_url, admin_token)
    code = verdict(found, balancer)
    if output == "json":
        click.echo(json.dumps({"replica": found, "balancer": balancer}))
    else:
        table(("what", "how"), list(rows(found, balancer)))
    context.exit(code)


def _balancer(url: str, token: str | None) -> dict[str, Any] | None:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    with suppress(CommandError):
        return ApiClient(url, None, silence_s=PATIENCE_S).document(
            "GET", "/lb/status", headers=headers
        )
    return None


def verdict(found: Document, balancer: Document | None) -> int:
    """Return the exit code: 0 ready, 1 degraded, 2 away."""
    state = found["replica"]["state"]
    if state not in {"ready", "degraded"}:
        return AWAY
    backends = balancer["backends"] if balancer is not None else ()
    is_well = state == "ready" and not found["modes"]
    return READY if is_well and not any(map(_is_out, backends)) else DEGRADED


def _scaler(scaler: Document) -> str:
    numbers = f"{scaler['running']} of {scaler['wanted']} wanted workers run"
    bounds = f"{scaler['min']} to {scaler['max']}"
    return f"{scaler['state']} ({scaler['driver']}): {numbers} ({bounds}); {scaler['reason']}"


def _is_out(backend: Document) -> bool:
    return bool(backend["state"] == "ejected")


def rows(found: Document, balancer: Document | None) -> Iterator[Row]:
    """Yield what is shown: a replica's view of the whole, and the balancer's of its backends."""
    replica, database = found["replica"], found["database"]
    running = f"{replica['running_queries']} queries run"
    yield "replica", f"{replica['host']} {replica['pid']}: {replica['state']}, {running}"
    for mode in found["modes"]:
        yield "mode", f"{mode['name']} since {mode['since']}: {mode['cause']}"
    pool = database["pool"]
    uses = f"{pool['in_use']} of {pool['max_size']} connections in use, {pool['waiting']} wait"
    yield "database", f"breaker {database['breaker']}, {database['error'] or uses}"
    workers = found["workers"]
    if workers["error"] is not None:
        yield "workers", workers["error"]
    for one in workers["items"]:
        doing = "draining" if one["draining"] else f"{one['busy']} of {one['slots']} slots busy"
        yield "worker", f"{one['name']}: {doing}, {', '.join(one['lanes'])}"
    if not workers["items"] and workers["error"] is None:
        yield "workers", "none"
    lanes = found["lanes"]
    for lane in lanes["items"]:
        yield "lane", f"{lane['name']}: {lane['length']} tasks, {lane['pending']} of them run"
    if lanes["error"] is not None:
        yield "lanes", lanes["error"]
    if (scaler := found.get("scaler")) is not None:  # an older replica says nothing of it
        yield "scaler", _scaler(scaler)
    if balancer is None:
        yield "balancer", "its admin address does not answer"
        return
    for backend in balancer["backends"]:
        reason = f" ({backend['reason']})" if _is_out(backend) else ""
        yield (
            "backend",
            f"{backend['id']}: {backend['state']}{reason}, {backend['active']} requests",
        )
    limiter = balancer["limiter"]
    if limiter is not None:
        yield "limits", f"{limiter['mode']}, {limiter['limited']} requests refused"
