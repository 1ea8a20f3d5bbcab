"""The reader's URL and session."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from db.database import connection_string
from db.reader import reader_password, reader_session, reader_url
from db.settings import DatabaseSettings

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)


def test_only_user_and_password_differ_from_the_owners_url() -> None:
    owner = "postgresql://own%20er:s%2Fcret@db.example:5433/shop?sslmode=require"
    expected = dict(conninfo_to_dict(owner), user="millrace_reader")
    expected["password"] = reader_password("s/cret", "millrace_reader")
    assert conninfo_to_dict(reader_url(owner, "millrace_reader")) == expected


@given(host=TEXT, password=TEXT, database=TEXT, role=TEXT)
def test_every_character_survives(host: str, password: str, database: str, role: str) -> None:
    owner = make_conninfo("", host=host, password=password, dbname=database, user="owner")
    parts = conninfo_to_dict(reader_url(owner, role))
    assert parts["host"] == host
    assert parts["dbname"] == database
    assert parts["user"] == role
    assert parts["password"] == reader_password(password, role)


def test_an_owner_without_password_has_a_reader_without() -> None:
    assert "password" not in conninfo_to_dict(reader_url("postgresql://owner@/shop", "r"))


def test_the_password_is_stable_and_differs_by_owner_and_role() -> None:
    # a change would lock running processes out while a migration by a newer version is done
    assert reader_password("secret", "millrace_reader") == (
        "c3d0d5419e043833dd99e68d368d4ec8c9d10f07faa557468caf76c052957fc9"
    )
    passwords = {reader_password(p, r) for p in ("a", "b") for r in ("r", "s")}
    assert len(passwords) == 4


def test_session_settings_follow_the_urls_own_options_and_are_escaped() -> None:
    session = reader_session(
        DatabaseSettings(
            url="postgresql://o@/d", schema_name='my "own" schema', statement_timeout_s=1.5,
            lock_timeout_s=0.0001, idle_transaction_timeout_s=0,
        )
    )  # fmt: skip
    url = "postgresql://o@h/d?options=-c%20work_mem%3D8MB&application_name=mine"
    parts = conninfo_to_dict(connection_string(url, "app", session, 5))
    options = str(parts["options"])
    assert options.startswith("-c work_mem=8MB -c search_path=")
    assert '-c search_path=pg_catalog,"my\\ ""own""\\ schema"' in options
    assert "-c statement_timeout=1500 -c lock_timeout=1 " in options
    assert "-c standard_conforming_strings=on -c row_security=on" in options
    assert options.endswith("-c idle_in_transaction_session_timeout=0")
    assert parts["application_name"] == "mine"
    assert parts["client_encoding"] == "UTF8"


@pytest.mark.parametrize(
    ("url", "seconds"), [("postgresql://o@h/d", "7"), ("postgresql://o@h/d?connect_timeout=3", "3")]
)
def test_the_urls_own_connect_timeout_wins(url: str, seconds: str) -> None:
    assert conninfo_to_dict(connection_string(url, "app", {}, 7))["connect_timeout"] == seconds


@pytest.mark.parametrize(
    ("url", "writes", "wanted"),
    [
        ("postgresql://o@one,two/d", True, "read-write"),
        ("postgresql://o@one,two/d", False, "primary"),
        ("postgresql://o@one,two/d?target_session_attrs=read-write", False, "primary"),
        ("postgresql://o@one,two/d?target_session_attrs=any", False, "any"),
        ("postgresql://o@one/d", True, None),
        ("postgresql://o@one/d?target_session_attrs=read-write", False, "primary"),
        ("postgresql://o@/d?host=/one,/two", True, "read-write"),
    ],
)
def test_of_several_hosts_the_primary_is_chosen(url: str, writes: bool, wanted: str | None) -> None:
    given = conninfo_to_dict(connection_string(url, "app", {}, 5, writes=writes))
    assert given.get("target_session_attrs") == wanted
