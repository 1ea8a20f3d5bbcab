"""`millrace query`: one query over HTTP, its rows to standard output as they come."""

import http.client
import json
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.errors import CommandError

PIECE_BYTES = 64 * 1024
TABLE_ROWS = 1000
TYPES = {
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "csv": "text/csv",
    "arrow": "application/vnd.apache.arrow.stream",
}


class QueryFailed(CommandError):
    """The query was refused, or its answer ended before its end."""


@click.command()
@click.argument("sql")
@click.option(
    "--format", "form", type=click.Choice(["table", *TYPES]), default="table", show_default=True,
    help="Form of the rows; all but table and json are streamed.",
)  # fmt: skip
@click.option("--param", "params", multiple=True, help="Value of $1, $2 …; repeatable.")
@click.option("--max-rows", type=click.IntRange(min=1), default=None, help="Most rows.")
@click.option(
    "--url", default="http://127.0.0.1:8080", show_default=True,
    help="The balancer, or a replica.",
)  # fmt: skip
@click.option("--api-key", default=None, help="Sent as X-API-Key.")
def query(
    sql: str, form: str, params: tuple[str, ...], max_rows: int | None, url: str,
    api_key: str | None,
) -> None:  # fmt: skip
    """Run SQL and print its rows.

    Ends with an error when the answer does not arrive whole.
    """
    if form == "table" and max_rows is None:
        max_rows = TABLE_ROWS
    body: dict[str, Any] = {"sql": sql, "params": list(params)}
    if max_rows is not None:
        body["max_rows"] = max_rows
    accept = TYPES["ndjson" if form == "table" else form]
    pieces = answer(url, "/v1/query", body, accept, api_key)
    if form == "table":
        _print_table(b"".join(pieces))
        return
    for piece in pieces:
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


def answer(
    url: str, path: str, body: dict[str, Any], accept: str, api_key: str | None
) -> Iterator[bytes]:
    """Yield the bytes that are sent back for `body`.

    Raises QueryFailed, also when their end is missing.
    """
    address = urlsplit(url)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise QueryFailed(f"{url} is no http or https URL.")
    kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    connection = kind(address.hostname, address.port)
    headers = {"Content-Type": "application/json", "Accept": accept}
    if api_key is not None:
        headers["X-API-Key"] = api_key
    try:
        connection.request("POST", path, json.dumps(body).encode(), headers)
        response = connection.getresponse()
        if response.status != http.client.OK:
            raise QueryFailed(_reason(response.read(), response.status))
        # a connection that ends without the last chunk raises IncompleteRead
        while piece := response.read1(PIECE_BYTES):
            yield piece
    except (OSError, http.client.HTTPException) as error:
        reason = str(error) or type(error).__name__
        raise QueryFailed(f"The answer is not whole: {reason}.") from error
    finally:
        connection.close()


def _reason(body: bytes, status: int) -> str:
    try:
        return str(json.loads(body)["detail"])
    except (ValueError, KeyError, TypeError):
        return f"The answer has status {status}."


def _print_table(text: bytes) -> None:
    # digits stay as PostgreSQL wrote them
    head, *rows, tail = [json.loads(line, parse_float=str) for line in text.splitlines()]
    table = Table()
    for column in head["columns"]:
        table.add_column(Text(f"{column['name']}\n{column['type']}"))
    for row in rows:
        table.add_row(*["" if value is None else Text(_shown(value)) for value in row])
    Console().print(table)
    more = ", and there are more" if tail["truncated"] else ""
    total_ms = float(tail["timings_ms"]["total"])
    click.echo(
        f"{tail['row_count']} rows{more} · {head['plan']['mode']} · {total_ms:.1f} ms", err=True
    )


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
