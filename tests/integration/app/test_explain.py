"""Explaining over HTTP, and `millrace explain`."""

import json
import subprocess
import sys

import pytest

from tests.integration.app.conftest import Replica

SQL = "SELECT i FROM generate_series(1, 200000) AS i WHERE i > $1"


def explain(replica: Replica, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "cli", "explain", "--url", f"http://127.0.0.1:{replica.port}",
         *arguments],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done


def test_nothing_is_run_unless_asked_for(formats: Replica) -> None:
    for sql in ("SELECT 1 / (i - 1) FROM generate_series(1, 3) AS i", SQL):
        body = {"sql": sql, "params": ["5"] if "$1" in sql else [], "timeout_s": 25}
        shown = formats.http.post("/v1/query/explain", json=body).json()
        assert (shown["mode"], shown["analysis"]) == ("direct", None)
        assert 0 < shown["limits"]["timeout_s"] <= 25  # what is left: arriving took a moment
        assert shown["reason"] in shown["reasons_not_to_split"]
        assert shown["cost"] > 0


def test_an_analyzed_query_is_run_and_its_rows_are_not_given(formats: Replica) -> None:
    body = {"sql": SQL, "params": ["5"]}
    answer = formats.http.post("/v1/query/explain?analyze=1", json=body)
    analysis = answer.json()["analysis"]
    assert analysis["rows"] == 199_995
    assert analysis["postgresql_plan"]["Plan"]["Actual Rows"] == 199_995
    assert analysis["timings_ms"]["total"] >= analysis["timings_ms"]["postgresql"] > 0
    failing = {"sql": "SELECT 1 / (i - 1) FROM generate_series(1, 3) AS i"}
    problem = formats.http.post("/v1/query/explain?analyze=1", json=failing).json()
    assert (problem["type"], problem["sqlstate"]) == ("/problems/sql-failed", "22012")


@pytest.mark.parametrize("analyze", ["yes", "2", ""])
def test_analyze_is_one_or_nothing(formats: Replica, analyze: str) -> None:
    answer = formats.http.post(f"/v1/query/explain?analyze={analyze}", json={"sql": "SELECT 1"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/analyze"


def test_a_deadline_ends_an_analysis(formats: Replica) -> None:
    for timeout_s in (0.3, 3.0, 15.0):
        body = {
            "sql": "SELECT count(*) FROM generate_series(1, 2000000000)",
            "timeout_s": timeout_s,
        }
        answer = formats.http.post("/v1/query/explain?analyze=1", json=body)
        if answer.status_code != 503:  # else it passed before the query's turn came
            break
    assert answer.json()["type"] == "/problems/timed-out"


def test_the_command_shows_a_tree(formats: Replica) -> None:
    lines = explain(formats, SQL, "--param", "5").stdout.splitlines()
    assert lines[0].startswith("Direct: ")
    assert any(line.strip().startswith("not split: ") for line in lines)
    analyzed = explain(formats, SQL, "--param", "5", "--analyze").stdout
    assert "ran direct: 199995 rows" in analyzed
    assert "->  Function Scan" in analyzed
    assert "Filter: " in analyzed
    document = json.loads(explain(formats, SQL, "--param", "5", "--format", "json").stdout)
    assert document["mode"] == "direct"


def test_the_command_tells_a_refusal(formats: Replica) -> None:
    done = explain(formats, "DELETE FROM t")
    assert (done.returncode, done.stdout) == (1, "")
    assert "only queries that read" in done.stderr
