"""`millrace load`: a CSV or Parquet file into a table."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Literal

import click
import psycopg
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from cli.errors import LoadRefused
from cli.loading.csv_file import CODECS, CsvFile, Dialect
from cli.loading.parquet_file import ParquetFile
from cli.loading.source import Source
from cli.loading.table import Mode, Target, check_target, check_types, load_table
from cli.loading.where import database
from cli.settings import CliSettings, default_data_folder
from db.database import to_primary

PARQUET_MAGIC = b"PAR1"


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--table", required=True, help="Name of the table.")
@click.option("--schema", default="public", show_default=True, help="Schema of the table.")
@click.option(
    "--type", "types", multiple=True, metavar="COLUMN=TYPE", help="Type of a column; repeatable."
)
@click.option(
    "--format", "format_", type=click.Choice(["csv", "parquet"]), default=None,
    help="What the file is.  [default: by its first bytes]",
)  # fmt: skip
@click.option(
    "--delimiter", default=None, help="CSV: between values.  [default: comma; tab for .tsv]"
)
@click.option("--null", default="", help="CSV: the text, unquoted, for NULL.  [default: nothing]")
@click.option("--header/--no-header", default=True, show_default=True, help="CSV: names in row 1.")
@click.option("--replace", is_flag=True, help="Drop a table of that name first, in one step.")
@click.option("--append", is_flag=True, help="Add rows to the table that is there.")
@click.option(
    "--data", type=click.Path(path_type=Path), default=None,
    help="Data folder of `millrace up`.  [default: .millrace of the checkout]",
)  # fmt: skip
def load(
    file: Path, table: str, schema: str, types: tuple[str, ...],
    format_: Literal["csv", "parquet"] | None, delimiter: str | None, null: str, data: Path | None,
    *, header: bool, replace: bool, append: bool,
) -> None:  # fmt: skip
    """Load FILE (CSV, perhaps .gz, .bz2 or .zst; or Parquet) into a table, wholly or not at all.

    Goes to DATABASE_URL, else to the PostgreSQL of `millrace up`, which is started for the load
    when it does not run.
    """
    if replace and append:
        raise click.UsageError("--replace and --append exclude each other.")
    mode = Mode.REPLACE if replace else Mode.APPEND if append else Mode.CREATE
    target = Target(schema, table, mode)
    choices = _choices(types)
    console = Console(highlight=False)
    began = monotonic()
    folder = (data or default_data_folder()).resolve()
    with (
        database(folder, CliSettings().database, console.print) as url,
        psycopg.connect(
            to_primary(url), autocommit=True, application_name="millrace/load"
        ) as connection,
    ):
        check_target(connection, target)  # before the file is read, which can take long
        check_types(connection, choices)
        if (format_ or _format(file)) == "parquet":
            source: Source = ParquetFile(file, choices)
        else:
            dialect = Dialect(_delimiter(file, delimiter), null, header)
            with _bar(console, "reading types") as seen:
                source = CsvFile(file, dialect, choices, seen)
        console.print(_types_table(source))
        with _bar(console, "loading") as seen:
            rows = load_table(connection, source, target, lambda done: seen(done, source.total))
    console.print(f"{rows:,} rows in {schema}.{table}, {monotonic() - began:.1f} s")


def _choices(types: tuple[str, ...]) -> dict[str, str]:
    choices = {}
    for choice in types:
        column, separator, type_ = choice.rpartition("=")
        if not (column and separator and type_):
            raise click.UsageError(
                f"--type {choice}: must be COLUMN=TYPE, such as --type zip=text."
            )
        choices[column] = type_.strip()
    return choices


def _format(file: Path) -> Literal["csv", "parquet"]:
    try:
        with file.open("rb") as opened:
            return "parquet" if opened.read(4) == PARQUET_MAGIC else "csv"
    except OSError as error:
        raise LoadRefused(f"{file} cannot be read: {error.strerror}.") from error


def _delimiter(file: Path, given: str | None) -> str:
    if given is None:
        name = file.with_suffix("") if file.suffix.lower() in CODECS else file
        return "\t" if name.suffix.lower() == ".tsv" else ","
    delimiter = {"\\t": "\t", "tab": "\t"}.get(given, given)
    if len(delimiter.encode()) != 1 or delimiter in '"\r\n':
        raise click.UsageError("--delimiter: must be one ASCII character, or tab.")
    return delimiter


def _types_table(source: Source) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("column", "type", ""):
        table.add_column(heading)
    for column in source.columns:
        table.add_row(Text(column.name), Text(column.type), "as told" if column.chosen else "")
    return table


@contextmanager
def _bar(console: Console, what: str) -> Iterator[Callable[[int, int], None]]:
    """Show progress as a bar; without a terminal, nothing."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
