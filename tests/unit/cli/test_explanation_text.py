"""The tree that `millrace explain` shows."""

from typing import Any

from cli.explanation_text import explanation_text

FRAGMENT = {"sql": "SELECT sum(v) AS c0 FROM t", "cost": 25.0, "estimated_rows": 1, "ran": None}
RAN = {
    "queued_ms": 0.25, "ran_ms": 8.0, "postgresql_ms": 7.5, "rows": 1, "worker": "w1", "attempt": 1,
}  # fmt: skip


def document(**changes: Any) -> dict[str, Any]:
    split = {
        "mode": "partitioned",
        "reason": "cost 100 over 2 of 2 slots",
        "reasons_not_to_split": [],
        "reason_not_columnar": None,
        "cache": {"cacheable": True, "reason": "", "age_s": None},
        "cost": 100.0,
        "estimated_rows": 1,
        "driving_tables": [
            {"table": "public.t", "blocks": 9, "fragments": 2, "why": "the only table",
             "cut": "by ranges of its blocks (ctid)"}
        ],
        "other_tables": [],
        "fragment_count": 2,
        "fragment_count_reason": "the least of 2 free slots of workers, 9 blocks",
        "fragments": [
            {**FRAGMENT, "rows": "blocks from 0 to 4 of public.t"},
            {**FRAGMENT, "rows": "blocks from 5 of public.t"},
        ],
        "partial_columns": [{"name": "c0", "type": "bigint"}],
        "merge_sql": "SELECT sum(c0) FROM p",
        "limits": {"timeout_s": 30.0, "max_query_cost": 1e9},
        "analysis": None,
    }  # fmt: skip
    return {**split, **changes}


def test_fragments_hang_below_their_merge_and_their_sql_is_shown_once() -> None:
    assert list(explanation_text(document())) == [
        "Partitioned: cost 100 over 2 of 2 slots",
        "  cost=100 rows=1; not cached; deadline 30 s, most cost 1e+09",
        "  fragments: 2, the least of 2 free slots of workers, 9 blocks",
        "  cut: public.t (9 blocks) into 2, by ranges of its blocks (ctid); the only table",
        "  ->  Merge",
        "        SQL: SELECT sum(c0) FROM p",
        "        ->  Partials  (c0 bigint)",
        "              ->  Fragment 1: blocks from 0 to 4 of public.t  (cost=25 rows=1)",
        "                    SQL: SELECT sum(v) AS c0 FROM t",
        "              ->  Fragment 2: blocks from 5 of public.t  (cost=25 rows=1)",
    ]


def test_what_ran_tells_its_times_and_a_second_attempt() -> None:
    parts = document()["fragments"]
    ran = [{**parts[0], "ran": RAN}, {**parts[1], "ran": {**RAN, "attempt": 2}}]
    timings = {"plan": 1.0, "postgresql": 9.0, "total": 12.0}
    analysis = {
        "mode": "partitioned", "left_split": None, "rows": 1, "truncated": False,
        "timings_ms": timings, "postgresql_plan": None,
    }  # fmt: skip
    lines = list(explanation_text(document(fragments=ran, analysis=analysis, merge_sql=None)))
    assert "  ran partitioned: 1 rows in 12.0 ms (plan 1.0, postgresql 9.0)" in lines
    first, second = (line for line in lines if "Fragment" in line)
    assert first.endswith("(queued 0.2 ms, ran 8.0 ms, PostgreSQL 7.5 ms, rows=1, w1)")
    assert second.endswith("rows=1, w1, attempt 2)")
    assert first.startswith("        ->  Fragment")


def test_leaving_the_split_is_told() -> None:
    analysis = {
        "mode": "direct", "left_split": "too many rows", "rows": 7, "truncated": True,
        "timings_ms": {"total": 12.0}, "postgresql_plan": None,
    }  # fmt: skip
    lines = list(explanation_text(document(analysis=analysis)))
    assert "  left the split: too many rows" in lines
    assert any(line.startswith("  ran direct: 7 rows, truncated in") for line in lines)


def test_fragments_over_segments_have_no_estimate_and_may_have_been_kept() -> None:
    parts = document()["fragments"]
    kept = {**RAN, "attempt": 0}
    fragments = [{**part, "cost": None, "estimated_rows": None} for part in parts]
    fragments[0]["ran"] = kept
    lines = list(explanation_text(document(mode="columnar", fragments=fragments)))
    (first,) = [line for line in lines if "Fragment 1" in line]
    assert first.endswith("(DuckDB) (kept from before, rows=1)")


def test_why_no_segments_are_used_is_told() -> None:
    lines = list(explanation_text(document(reason_not_columnar="t is not accelerated")))
    assert "  no segments: t is not accelerated" in lines
