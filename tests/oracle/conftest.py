"""One database for all tests of this folder, which leave it as it is."""

from collections.abc import Iterator

import pytest

from cli.embedded.postgres import EmbeddedPostgres
from tests.oracle.runner import Runner
from tests.oracle.world import world


@pytest.fixture(scope="session")
def runner(postgres: EmbeddedPostgres) -> Iterator[Runner]:
    """Runs queries over the tables of `schema`."""
    with world(postgres.url("postgres")) as made:
        yield Runner(made)
