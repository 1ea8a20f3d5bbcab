"""An explanation as a tree of stages, the last one first, as PostgreSQL's EXPLAIN shows plans.

Partitioned: cost 4312 over 4 of 4 slots
  cost=4312 rows=10; not cached; deadline 30 s
  fragments: 4, the least of 4 free slots of workers, …
  ->  Merge  (took 0.8 ms, rows=10)
        SQL: WITH p AS …
        ->  Partials  (c0 text, c1 bigint)
              ->  Fragment 1: blocks from 0 to 134 of public.t  (cost=1078 rows=10)
"""

from collections.abc import Iterator, Mapping
from typing import Any

INDENT = 2
ARROW = "->  "
# of a plan node of PostgreSQL's, in this order, where they are there
CONDITIONS = (
    "Index Cond", "Recheck Cond", "Filter", "Hash Cond", "Merge Cond", "Join Filter", "Sort Key",
    "Group Key",
)  # fmt: skip

Document = Mapping[str, Any]


def explanation_text(document: Document) -> Iterator[str]:
    """Yield the lines for what `POST /v1/query/explain` answered."""
    yield f"{document['mode'].capitalize()}: {document['reason']}"
    yield _at(1, _estimate(document) + f"; {_cache(document['cache'])}; {_limits(document)}")
    for reason in document["reasons_not_to_split"]:
        yield _at(1, f"not split: {reason}")
    analysis = document["analysis"]
    if analysis is not None:
        yield from _analysis(analysis)
    if document["reason_not_columnar"] is not None:
        yield _at(1, f"no segments: {document['reason_not_columnar']}")
    if document["mode"] != "direct":
        yield from _partitioned(document)
    if analysis is not None and analysis["postgresql_plan"] is not None:
        yield from _node(analysis["postgresql_plan"]["Plan"], 1)


def _at(level: int, text: str) -> str:
    return " " * (INDENT * level) + text


def _estimate(document: Document) -> str:
    if document["cost"] is None:
        return "DuckDB"
    return f"cost={document['cost']:.0f} rows={document['estimated_rows']}"


def _cache(cache: Document) -> str:
    if not cache["cacheable"]:
        return f"never cached: {cache['reason']}"
    return "not cached" if cache["age_s"] is None else f"cached {cache['age_s']:.1f} s ago"


def _limits(document: Document) -> str:
    limits = document["limits"]
    return f"deadline {limits['timeout_s']:g} s, most cost {limits['max_query_cost']:g}"


def _analysis(analysis: Document) -> Iterator[str]:
    times = analysis["timings_ms"]
    stages = ", ".join(f"{name} {took:.1f}" for name, took in times.items() if name != "total")
    rows = f"{analysis['rows']} rows" + (", truncated" if analysis["truncated"] else "")
    yield _at(1, f"ran {analysis['mode']}: {rows} in {times['total']:.1f} ms ({stages})")
    if analysis["left_split"] is not None:
        yield _at(1, f"left the split: {analysis['left_split']}")


def _partitioned(document: Document) -> Iterator[str]:
    yield _at(1, f"fragments: {document['fragment_count']}, {document['fragment_count_reason']}")
    for table in document["driving_tables"]:
        name = table["table"] or "a branch"
        yield _at(1, f"cut: {name} ({table['blocks']} blocks) into {table['fragments']}, "
                     f"{table['cut']}; {table['why']}")  # fmt: skip
    for table in document["other_tables"]:
        yield _at(1, f"read by each: {table['table']} ({table['blocks']} blocks): {table['why']}")
    level = 1
    if document["merge_sql"] is not None:
        yield _at(1, f"{ARROW}Merge")
        yield _at(4, f"SQL: {document['merge_sql']}")
        level = 4
    columns = ", ".join(f"{one['name']} {one['type']}" for one in document["partial_columns"])
    yield _at(level, f"{ARROW}Partials  ({columns})")
    told = ""
    for number, fragment in enumerate(document["fragments"], 1):
        yield _at(level + 3, f"{ARROW}Fragment {number}: {fragment['rows']}  "
                             f"({_estimate(fragment)}){_ran(fragment['ran'])}")  # fmt: skip
        if fragment["sql"] != told:  # fragments of one table differ in their parameters alone
            told = fragment["sql"]
            yield _at(level + 6, f"SQL: {told}")


def _ran(ran: Document | None) -> str:
    if ran is None:
        return ""
    if ran["attempt"] == 0:
        return f" (kept from before, rows={ran['rows']})"
    attempt = f", attempt {ran['attempt']}" if ran["attempt"] > 1 else ""
    return (
        f" (queued {ran['queued_ms']:.1f} ms, ran {ran['ran_ms']:.1f} ms, PostgreSQL "
        f"{ran['postgresql_ms']:.1f} ms, rows={ran['rows']}, {ran['worker']}{attempt})"
    )


def _node(node: Document, level: int) -> Iterator[str]:
    on = f" on {node['Relation Name']}" if "Relation Name" in node else ""
    using = f" using {node['Index Name']}" if "Index Name" in node else ""
    yield _at(level, f"{ARROW}{node['Node Type']}{using}{on}  (cost={node['Total Cost']:.0f} "
                     f"rows={node['Plan Rows']}) (actual time="
                     f"{node.get('Actual Total Time', 0.0):.3f} ms rows={node['Actual Rows']:g} "
                     f"loops={node['Actual Loops']})")  # fmt: skip
    for name in CONDITIONS:
        if name in node:
            value = node[name]
            text = value if isinstance(value, str) else ", ".join(value)
            yield _at(level + 3, f"{name}: {text}")
    yield _at(level + 3, f"Buffers: hit={node['Shared Hit Blocks']} "
                         f"read={node['Shared Read Blocks']}")  # fmt: skip
    for child in node.get("Plans", []):
        yield from _node(child, level + 3)
