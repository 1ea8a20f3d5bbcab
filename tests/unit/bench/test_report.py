"""The table, the summary and the chart."""

from xml.etree import ElementTree as ET

from bench.query.chart import Group, bars
from bench.query.contest import Measured
from bench.query.sides import Plan
from bench.query.summary import Compared, problems, summary
from bench.query.table import brief, milliseconds, rendered, times

SVG = "{http://www.w3.org/2000/svg}"


def measured(*taken: float, mode: str = "columnar", verdict: str = "equal") -> Measured:
    return Measured(list(taken), Plan(mode, 2, "measured"), verdict)


def compared(name: str, single: Measured, columnar: Measured) -> Compared:
    sides = {
        "single": single, "parallel": measured(50.0), "direct": measured(50.0),
        "partitioned": Measured(problem="no"), "cold": columnar, "columnar": columnar,
        "repeated": measured(9.0, 4.0, 6.0, 5.0), "auto": measured(10.0), "duckdb": measured(8.0),
    }  # fmt: skip
    return Compared(name, sides, "columnar")


def test_numbers_stand_to_the_right_and_words_to_the_left() -> None:
    table = rendered(["query", "ms", "why"], [["Q1", "1.5", "a"], ["Q10", "100", "bc"]])
    assert table.splitlines() == ["query   ms  why", "Q1     1.5  a", "Q10    100  bc"]


def test_three_digits_of_a_time_and_a_ratio_are_shown() -> None:
    assert [milliseconds(value) for value in (0.126, 12.34, 123.4, None, float("nan"))] == [
        "0.13", "12.3", "123", "-", "-",
    ]  # fmt: skip
    assert [times(value) for value in (1.234, 12.34, 123.4, None)] == [
        "1.23x",
        "12.3x",
        "123x",
        "-",
    ]
    assert brief("one\n two  three", 9) == "one two …"


def test_ratios_are_told_with_their_geometric_mean() -> None:
    quick = compared("Q1", measured(400.0), measured(10.0))
    slow = compared("Q2", measured(100.0), measured(10.0))
    lines = summary([quick, slow])
    assert lines[0] == "run columnar: 2, mixed: 0, of 2; the planner chooses: 2 columnar"
    mean = "geometric mean over the queries that run columnar (2): 20.0x single and 5.00x parallel"
    assert lines[1] == mean + " PostgreSQL"
    assert "overhead over bare DuckDB, all (2): geometric mean 1.25x, largest 1.25x" in lines
    assert any("p50 5.00 ms" in line for line in lines if line.startswith("repeated"))
    assert "Q1 partitioned: no" in problems([quick])


def test_a_query_that_was_ended_counts_with_its_limit() -> None:
    ended = compared("Q1", Measured(problem="over 60 s", over_ms=60_000.0), measured(100.0))
    lines = summary([ended])
    assert "(1): 600x single" in lines[1]
    assert lines[-1].endswith("and so counted: Q1")


def test_queries_that_are_not_columnar_count_in_no_mean_of_those() -> None:
    refused = compared("Q1", measured(400.0), Measured(problem="not on the list"))
    lines = summary([refused])
    assert lines[0].startswith("run columnar: 0")
    assert not any("run columnar (" in line for line in lines)
    assert problems([refused])[0] == "Q1 partitioned: no"
    assert "Q1 columnar: not on the list" in problems([refused])


def test_a_wrong_answer_of_ours_is_told() -> None:
    wrong = compared("Q1", measured(400.0), measured(10.0, verdict="DIFFERS"))
    assert "Q1 columnar: the answer DIFFERS" in problems([wrong])
    assert any("DIFFERS" in line for line in summary([wrong]))


def test_a_bar_is_a_fixed_length_longer_for_each_power_of_ten() -> None:
    chart = bars("a < b", ["one", "other"], [Group("Q1", [1.0, 10.0]), Group("Q2", [100.0, None])])
    root = ET.fromstring(chart)
    drawn = [one for one in root.iter(f"{SVG}rect") if one.find(f"{SVG}title") is not None]
    lengths = [float(one.get("width", "")) for one in drawn]
    assert len(lengths) == 3
    assert abs((lengths[2] - lengths[1]) - (lengths[1] - lengths[0])) < 1.0
    texts = [one.text for one in root.iter(f"{SVG}text")]
    assert {"a < b", "one", "other", "Q1", "Q2", "100 ms"} <= set(texts)
