"""What EXPLAIN (FORMAT JSON) tells of a query."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Explained:
    """PostgreSQL's plan: its total cost in planner units, and rows out, as estimated.

    `text` is the whole plan: queries that mean the same have the same (but for their query
    identifier).  `relations` are schema and name of the tables that it reads, children and
    partitions instead of their parents; `has_foreign` tells that one lies on another server.
    """

    cost: float
    rows: int
    text: str
    relations: frozenset[tuple[str, str]]
    has_foreign: bool

    @classmethod
    def parse(cls, text: str) -> "Explained":
        """Read the output of EXPLAIN (FORMAT JSON)."""
        plan = json.loads(text)[0]["Plan"]
        nodes = list(nodes_of(plan))
        return cls(
            cost=float(plan["Total Cost"]),
            rows=int(plan["Plan Rows"]),
            text=json.dumps(plan, sort_keys=True),
            relations=frozenset(
                (node.get("Schema", ""), node["Relation Name"])
                for node in nodes
                if "Relation Name" in node
            ),
            has_foreign=any(node["Node Type"] == "Foreign Scan" for node in nodes),
        )


def nodes_of(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the nodes of a plan, top first."""
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes_of(child)
