"""The embedded servers, started for real."""

import os
from pathlib import Path

import psycopg
import pytest
import redis

from cli.embedded.errors import DataFolderBroken
from cli.embedded.place import place_for
from cli.embedded.postgres import EmbeddedPostgres


def test_postgres_answers(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT current_setting('server_version_num')::int").fetchone()
    assert row is not None
    assert row[0] >= 180000


def test_valkey_answers(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.ping()


def test_a_data_folder_with_something_else_in_it_is_refused(tmp_path: Path) -> None:
    place = place_for(tmp_path)
    server = EmbeddedPostgres(place)
    place.own(server.data)
    (server.data / "thesis.txt").write_text("do not lose me")
    with pytest.raises(DataFolderBroken, match="no PostgreSQL cluster"):
        server.initialise()
    assert (server.data / "thesis.txt").read_text() == "do not lose me"
    place.remove()


def test_the_folders_above_the_data_keep_their_permissions(tmp_path: Path) -> None:
    outer = tmp_path / "private"
    outer.mkdir(mode=0o700)
    before = {path: path.stat().st_mode for path in [outer, *outer.parents]}
    place = place_for(outer / "data")
    EmbeddedPostgres(place).initialise()
    assert {path: path.stat().st_mode for path in before} == before
    place.remove()
    if os.geteuid() == 0:
        assert not (outer / "data").exists()


def test_a_cluster_whose_creation_was_cut_short_is_created_anew(tmp_path: Path) -> None:
    place = place_for(tmp_path)
    unfinished = place.home / ".postgres-unfinished"
    place.own(unfinished)
    (unfinished / "PG_VERSION").write_text("18\n")
    server = EmbeddedPostgres(place)
    assert server.initialise()
    assert not unfinished.exists()
    assert not server.initialise()
    place.remove()


def test_removing_a_place_keeps_files_that_are_not_the_servers(tmp_path: Path) -> None:
    place = place_for(tmp_path)
    (place.home / "notes.txt").write_text("mine")
    place.remove()
    assert (place.home / "notes.txt").read_text() == "mine"
    (place.home / "notes.txt").unlink()
    place.remove()
