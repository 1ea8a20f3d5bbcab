"""`millrace hash`: digests of files and pipes, and checks of lists of them."""

import hmac
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from cli.errors import HashMismatch, HashRefused
from cli.hashing import lists
from cli.hashing.files import STANDARD_INPUT, FileDigests, Seen, digest_file, total_bytes
from hashing.digester import Digester
from hashing.errors import HashingError
from hashing.known_answers import self_test
from hashing.registry import REGISTRY

PROGRESS_FROM_BYTES = 64 * 1024 * 1024  # smaller ones are done before a bar could be read

Form = Literal["text", "json", "table"]


@click.command(name="hash")
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option(
    "--algorithm", "-a", "algorithms", multiple=True, metavar="NAME",
    help="Which algorithm; repeatable, all in one pass.  [default: sha256]",
)  # fmt: skip
@click.option(
    "--check", "-c", is_flag=True, help="FILEs are lists of digests: check what they name."
)
@click.option(
    "--output", type=click.Choice(["text", "json", "table"]), default="text", show_default=True,
    help="text: as sha256sum writes it; with several algorithms, as BSD does.",
)  # fmt: skip
@click.option("--quiet", is_flag=True, help="With --check: only what is wrong.")
def hash_command(
    files: tuple[str, ...], algorithms: tuple[str, ...], output: Form, *, check: bool, quiet: bool
) -> None:
    """Hash FILEs; without any, or for -, standard input.

    With --check, lists such as sha256sum writes are checked instead.  Exit code 1: a file differs
    or cannot be read; 2: the command or a list makes no sense.
    """
    names = tuple(dict.fromkeys(algorithms)) or ("sha256",)
    digester = _digester(names)
    given = files or (STANDARD_INPUT,)
    if check:
        if len(names) > 1:
            raise click.UsageError("--check takes one --algorithm, for lines that name none.")
        _check(digester, given, names[0], output, quiet=quiet)
        return
    with _bar(given) as seen:
        results = [digest_file(digester, file, names, seen) for file in given]
    _show(results, output)
    unread = [result for result in results if result.error]
    if unread:
        reasons = "; ".join(f"{result.file}: {result.error}" for result in unread)
        raise HashMismatch(f"not read: {reasons}.")


def _digester(names: Sequence[str]) -> Digester:
    digester = Digester(self_test())
    try:
        for name in names:
            digester.algorithm(name)
    except HashingError as error:
        raise HashRefused(f"{error} There are: {', '.join(REGISTRY)}.") from error
    return digester


def _show(results: Sequence[FileDigests], output: Form) -> None:
    readable = [result for result in results if result.error is None]
    if output == "json":
        for result in results:
            digests = {name: digest.hex() for name, digest in result.digests.items()}
            document = {"file": result.file, "size_bytes": result.size_bytes, "digests": digests}
            if result.error:
                document = {"file": result.file, "error": result.error}
            click.echo(json.dumps(document, ensure_ascii=False))
    elif output == "table":
        rows = [
            (result.file, f"{result.size_bytes:,}", name, digest.hex())
            for result in readable
            for name, digest in result.digests.items()
        ]
        _table(("file", "bytes", "algorithm", "digest"), rows)
    else:
        for result in readable:
            for name, digest in result.digests.items():
                tagged = len(result.digests) > 1
                click.echo(lists.write(result.file, name, digest, tagged=tagged))


def _check(
    digester: Digester, files: Sequence[str], algorithm: str, output: Form, *, quiet: bool
) -> None:
    noted: list[lists.Noted] = []
    malformed = 0
    for file in files:
        for one in _lines(file, algorithm):
            if one is None:
                malformed += 1
            else:
                noted.append(one)
    if not noted:
        raise HashRefused("no line of the list is DIGEST  FILE, or ALGORITHM (FILE) = DIGEST.")
    states: list[tuple[str, str, str]] = []
    with _bar([one.file for one in noted]) as seen:
        states = [(one.file, one.algorithm, _state(digester, one, seen)) for one in noted]
    shown = [state for state in states if not quiet or state[2] != "OK"]
    _show_states(shown, output)
    wrong = sum(state != "OK" for _, _, state in states)
    if wrong:
        raise HashMismatch(f"{wrong} of {len(states)} files do not have the digest noted.")
    if malformed:
        raise HashRefused(f"{malformed} lines of the list cannot be read; the others are right.")


def _lines(file: str, algorithm: str) -> Iterator[lists.Noted | None]:
    try:
        with click.open_file(file, encoding="utf-8", errors="surrogateescape") as opened:
            yield from lists.read(opened, algorithm)
    except OSError as error:
        raise HashRefused(f"{file} cannot be read: {error.strerror}.") from error


def _state(digester: Digester, noted: lists.Noted, seen: Seen) -> str:
    result = digest_file(digester, noted.file, [noted.algorithm], seen)
    if result.error:
        return f"FAILED to read: {result.error}"
    same = hmac.compare_digest(result.digests[noted.algorithm], noted.digest)
    return "OK" if same else "FAILED"


def _show_states(states: Sequence[tuple[str, str, str]], output: Form) -> None:
    if output == "table":
        _table(("file", "algorithm", "state"), states)
        return
    for file, algorithm, state in states:
        if output == "json":
            document = {"file": file, "algorithm": algorithm, "ok": state == "OK", "state": state}
            click.echo(json.dumps(document, ensure_ascii=False))
        else:
            click.echo(f"{file}: {state}")


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    # not rich's: it cuts columns to the terminal's width, and half a digest is of no use
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    for row in (headings, *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


@contextmanager
def _bar(files: Sequence[str]) -> Iterator[Callable[[int], object]]:
    """Show progress on standard error, for much data on a terminal."""
    total = total_bytes(files)
    console = Console(stderr=True)
    if not console.is_terminal or (total is not None and total < PROGRESS_FROM_BYTES):
        yield lambda _size: None
        return
    columns = (TextColumn("hashing"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("hashing", total=total)
        yield lambda size: progress.advance(task, size)
