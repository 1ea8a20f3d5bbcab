"""`millrace query`, against a replica."""

import subprocess
import sys

import pyarrow as pa
import pytest

from tests.integration.app.conftest import Replica

BROKEN = "SELECT 1 / (90000 - i) AS a, repeat('x', 20) FROM generate_series(1, 100000) AS i"


def ask(replica: Replica, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run(
        [sys.executable, "-m", "cli", "query", "--url", f"http://127.0.0.1:{replica.port}",
         *arguments],
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert b"Traceback" not in done.stderr
    return done


def test_rows_come_to_standard_output_in_each_format(formats: Replica) -> None:
    sql = "SELECT i, 'r' || i AS t FROM generate_series(1, $1::int) AS i"
    arguments = (sql, "--param", "20000", "--format")
    assert ask(formats, *arguments, "csv").stdout.endswith(b"\n20000,r20000\n")
    assert b'"complete": true' in ask(formats, *arguments, "ndjson").stdout.splitlines()[-1]
    assert pa.ipc.open_stream(ask(formats, *arguments, "arrow").stdout).read_all().num_rows == 20000
    assert ask(formats, *arguments, "json", "--max-rows", "2").stdout.count(b'"r1"') == 1


def test_a_table_shows_digits_as_they_are_and_nothing_as_markup(formats: Replica) -> None:
    done = ask(formats, "SELECT 1.10 AS n, '[red]x' AS \"[b]\", NULL::int", "--max-rows", "5")
    text = done.stdout.decode()
    assert "1.10" in text
    assert "[red]x" in text
    assert "[b]" in text
    assert "1 rows · direct" in done.stderr.decode()


@pytest.mark.parametrize("form", ["csv", "ndjson", "arrow", "table"])
def test_an_incomplete_answer_is_an_error(formats: Replica, form: str) -> None:
    done = ask(formats, BROKEN, "--format", form, "--max-rows", "1000000")
    assert done.returncode == 1
    assert b"millrace: " in done.stderr


def test_a_refusal_is_told_in_its_own_words(formats: Replica) -> None:
    done = ask(formats, "DELETE FROM t", "--format", "csv")
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"only queries that read" in done.stderr


@pytest.mark.parametrize("url", ["ftp://a", "nothing", "http://127.0.0.1:1"])
def test_an_address_without_an_api_is_told(formats: Replica, url: str) -> None:
    done = ask(formats, "SELECT 1", "--url", url)
    assert done.returncode == 1
    assert b"millrace: " in done.stderr
