"""`millrace breaker`: look at the breakers in front of PostgreSQL, and hold them."""

import json
from typing import Any

import click

from cli.api.client import ApiClient
from cli.job_display import table

MODES = {"open": "open", "close": "closed", "auto": "auto"}


@click.command()
@click.argument("action", type=click.Choice(list(MODES)), required=False)
@click.option(
    "--for-s", type=click.FloatRange(min=0, min_open=True), default=None,
    help="Seconds until it is auto again; 600 without it.",
)  # fmt: skip
@click.option("--reason", default=None, help="For whoever looks.")
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
def breaker(
    action: str | None, for_s: float | None, reason: str | None, url: str, api_key: str | None,
    admin_token: str | None, output: str,
) -> None:  # fmt: skip
    """Show the breakers of all processes; open or close them all for a while, or end that (auto).

    Open: PostgreSQL is not asked. Closed: it is asked whatever happens.
    """
    if action is None and (for_s is not None or reason is not None):
        raise click.UsageError("--for-s and --reason go with open or close.")
    client = ApiClient(url, api_key)
    headers = {} if admin_token is None else {"Authorization": f"Bearer {admin_token}"}
    if action is None:
        found = client.document("GET", "/v1/breaker", headers=headers)
    else:
        given = {"mode": MODES[action], "for_s": for_s, "reason": reason}
        body = {name: value for name, value in given.items() if value is not None}
        found = client.document("PUT", "/v1/breaker", body, headers)
    if output == "json":
        click.echo(json.dumps(found, ensure_ascii=False))
    else:
        _show(found)


def _show(found: dict[str, Any]) -> None:
    until = "" if found["for_s"] is None else f" for {found['for_s']:.0f} s more"
    why = f": {found['reason']}" if found["reason"] else ""
    click.echo(f"{found['mode']}{until}{why}")
    rows = [
        (one["program"], one["host"], one["pid"], one["mode"], name, state)
        for one in found["processes"]
        for name, state in sorted(one["breakers"].items())
    ]
    table(("program", "host", "pid", "command", "pool", "state"), rows)
