"""`millrace demo`: the demo table in a database that `millrace up` has not made."""

import click
import psycopg

from cli.errors import DemoRefused
from cli.settings import CliSettings
from cli.stack.demo import create_demo
from cli.stack.given_servers import check_postgres
from db.database import to_primary
from db.settings import DatabaseSettings


@click.command()
def demo() -> None:
    """Make the demo table numbers (100,000 rows) in DATABASE_URL, once.

    A table of that name, also one that is yours, stays as it is; and who drops the demo table does
    not get it back.
    """
    given = CliSettings().database_url
    if given is None:
        raise click.UsageError(
            "DATABASE_URL is not set. `millrace up`, without it, makes the demo table by itself."
        )
    settings = DatabaseSettings(url=given)
    check_postgres(settings.url)
    schema = settings.schema_name
    try:
        created = create_demo(to_primary(settings.url), schema)
    except psycopg.errors.UndefinedTable as error:
        raise DemoRefused(
            "This database has not been migrated. Run first: python -m db.migrate"
        ) from error
    except psycopg.Error as error:
        raise DemoRefused(f"The demo table cannot be made: {str(error).strip()}") from error
    if created:
        click.echo(f"demo table: {schema}.numbers, 100,000 rows")
    else:
        click.echo("demo table: made before, or another table has its name; nothing changed")
