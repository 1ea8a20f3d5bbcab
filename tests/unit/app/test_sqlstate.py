"""SQLSTATE decides the status, and the documentation says how."""

import re
from pathlib import Path

import pytest

from app.queries.problems import BY_SQLSTATE, kind_of, sql_problem
from app.queries.sql_error import SqlError
from db.sqlstate import is_infrastructure

DOCUMENT = Path(__file__).parents[3] / "docs" / "api.md"
ROW = re.compile(r"^\| `(\w{2,5})` \| (\d{3}) \| `([\w-]+)` \|", re.MULTILINE)


def test_the_documented_table_is_the_one_that_decides() -> None:
    documented = {
        state: (int(code), slug) for state, code, slug in ROW.findall(DOCUMENT.read_text())
    }
    assert documented == {state: (kind.status, kind.slug) for state, kind in BY_SQLSTATE.items()}


@pytest.mark.parametrize(
    ("sqlstate", "status"),
    [("0A000", 400), ("21000", 422), ("22012", 422), ("23514", 422), ("25006", 403),
     ("25P02", 422), ("26000", 422), ("28000", 403), ("3D000", 400), ("3F000", 400),
     ("40001", 503), ("40P01", 503), ("42501", 403), ("42601", 400), ("42P01", 400),
     ("53100", 503), ("53400", 422), ("54001", 422), ("55P03", 503), ("55000", 422),
     ("57014", 504), ("57P03", 503), ("58030", 503), ("F0000", 502), ("HV00N", 502),
     ("P0001", 422), ("XX000", 502), ("08006", 503)],
)  # fmt: skip
def test_each_class_has_its_status(sqlstate: str, status: int) -> None:
    assert kind_of(sqlstate).status == status


def test_what_the_pool_takes_for_an_outage_is_one_here_as_well() -> None:
    for sqlstate in ("08000", "53000", "53100", "53400", "57P01", "58030", "40001", "22012"):
        unavailable = kind_of(sqlstate).slug == "database-unavailable"
        assert unavailable == is_infrastructure(sqlstate), sqlstate


def test_a_conflict_says_when_to_try_again() -> None:
    problem = sql_problem(SqlError("55P03", "canceling statement due to lock timeout"))
    assert problem.headers["Retry-After"] == "1"
    assert sql_problem(SqlError("22012", "division by zero")).headers == {}
