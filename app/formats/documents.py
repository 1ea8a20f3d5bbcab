"""Members that the JSON and the NDJSON form of an answer share."""

from typing import Any

from app.queries.open_answer import OpenAnswer
from app.queries.request import Answer, Timings


def column_documents(answer: Answer | OpenAnswer) -> list[dict[str, str]]:
    """Return the answer's columns: name, and PostgreSQL's name of the type."""
    return [
        {"name": column.name, "type": name}
        for column, name in zip(answer.columns, answer.types, strict=True)
    ]


def plan_document(answer: Answer | OpenAnswer) -> dict[str, Any]:
    """Return how the answer came to be."""
    return {"mode": answer.mode, "fragments": answer.fragments, "reason": answer.reason}


def timings_document(timings: Timings) -> dict[str, float]:
    """Return the milliseconds of each stage."""
    return {
        stage: round(getattr(timings, stage), 3)
        for stage in ("plan", "queue", "execute", "merge", "postgresql", "total")
    }
