"""Bodies of the calls about asynchronous queries."""

from typing import Any, Literal

from pydantic import Field

from app.models import ResponseModel


class AsyncQueryDocument(ResponseModel):
    """An asynchronous query that has no answer, yet or at all.

    Once it is done, its answer comes instead.
    """

    query_id: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    attempts: int = Field(description="How often a replica began to run it.")
    fragments_done: int = Field(description="Parts that have answered, in this attempt.")
    fragments_total: int = Field(description="Parts it was split into; 0 when direct.")
    row_count: int | None = Field(description="Rows of the answer; null before it is done.")
    problem: dict[str, Any] | None = Field(
        description="Why it failed: a problem document; null in any other state."
    )
    created_at: str = Field(description="ISO 8601, by PostgreSQL's clock.")
    started_at: str | None
    finished_at: str | None
    expires_at: str | None = Field(description="When it is forgotten.")
