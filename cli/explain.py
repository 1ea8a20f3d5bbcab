"""`millrace explain`: how a query would run, or with --analyze how it did."""

import json
from typing import Any

import click

from cli.explanation_text import explanation_text
from cli.query import TYPES, answer


@click.command()
@click.argument("sql")
@click.option("--analyze", is_flag=True, help="Run it, and show what each part took.")
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True,
    help="A tree of the stages, or all that the API says.",
)  # fmt: skip
@click.option("--param", "params", multiple=True, help="Value of $1, $2 …; repeatable.")
@click.option(
    "--engine", type=click.Choice(["auto", "direct", "partitioned", "columnar"]), default="auto",
    show_default=True, help="Which way to run it.",
)  # fmt: skip
@click.option(
    "--url", default="http://127.0.0.1:8080", show_default=True,
    help="The balancer, or a replica.",
)  # fmt: skip
@click.option("--api-key", default=None, help="Sent as X-API-Key.")
def explain(
    sql: str, analyze: bool, form: str, params: tuple[str, ...], engine: str, url: str,
    api_key: str | None,
) -> None:  # fmt: skip
    """Show how SQL would run; nothing is run without --analyze."""
    body: dict[str, Any] = {"sql": sql, "params": list(params), "engine": engine}
    path = f"/v1/query/explain?analyze={int(analyze)}"
    document = json.loads(b"".join(answer(url, path, body, TYPES["json"], api_key)))
    if form == "json":
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    for line in explanation_text(document):
        click.echo(line)
