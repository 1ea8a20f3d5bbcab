"""What EXPLAIN (FORMAT JSON) tells of a query."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Explained:
    """PostgreSQL's plan: its total cost in planner units, rows out, and groups, as estimated.

    `groups` is the largest estimate of an aggregation in it, 0 where there is none.  `text` is
    the whole plan: queries that mean the same have the same (but for their query identifier).
    """

    cost: float
    rows: int
    groups: int
    text: str

    @classmethod
    def parse(cls, text: str) -> "Explained":
        """Read the output of EXPLAIN (FORMAT JSON)."""
        plan = json.loads(text)[0]["Plan"]
        groups = [
            int(node["Plan Rows"])
            for node in _nodes(plan)
            if node["Node Type"] in ("Aggregate", "Group", "Unique")
        ]
        return cls(
            cost=float(plan["Total Cost"]),
            rows=int(plan["Plan Rows"]),
            groups=max(groups, default=0),
            text=json.dumps(plan, sort_keys=True),
        )


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from _nodes(child)
