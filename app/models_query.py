"""Bodies of the query calls."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, FiniteFloat

from app.models import RequestModel, ResponseModel

Parameter = str | int | FiniteFloat | bool | None


class QueryRequest(RequestModel):
    """A query to run."""

    # a JSON integer is a fine number of seconds
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    sql: Annotated[
        str,
        Field(min_length=1, description="Exactly one SELECT, WITH … SELECT or VALUES."),
    ]
    params: list[Parameter] = Field(
        default=[],
        max_length=1000,
        description="Values of $1, $2 … in the SQL. PostgreSQL infers their types from the query, "
        "so a date or a numeric is sent as a string.",
    )
    max_staleness_s: float | None = Field(
        default=None,
        ge=0,
        description="Oldest answer that is good enough; 0: computed now. The default is "
        "MILLRACE_CACHE_TTL_S; Cache-Control may ask for less.",
    )
    timeout_s: float | None = Field(
        default=None,
        gt=0,
        description="Time for all of it; the default and ceiling is MILLRACE_QUERY_TIMEOUT_S.",
    )
    max_rows: int | None = Field(
        default=None,
        ge=1,
        description="Most rows in the answer; the default and ceiling is MILLRACE_MAX_ROWS.",
    )
    engine: Literal["auto", "direct", "partitioned", "columnar"] = Field(
        default="auto",
        description="auto chooses by cost; direct runs the query whole on PostgreSQL; partitioned "
        "splits it there, and columnar runs it over segments of accelerated tables, or each says "
        "why it cannot.",
    )
    partitions: int | None = Field(
        default=None,
        ge=1,
        description="How many parts to split into, if it splits; the ceiling is "
        "MILLRACE_MAX_FRAGMENTS.",
    )


class ColumnDocument(ResponseModel):
    """A column of an answer."""

    name: str
    type: str = Field(description="PostgreSQL's name of the type, with its modifier.")


class PlanDocument(ResponseModel):
    """How a query ran."""

    mode: Literal["direct", "partitioned", "columnar", "mixed"] = Field(
        description="direct: whole, on PostgreSQL; partitioned: in parts, there; columnar: over "
        "segments; mixed: over segments, and on PostgreSQL what these lack."
    )
    fragments: int = Field(description="Parts it was split into; 0 when direct.")
    reason: str = Field(description="Why it ran this way.")
    cache: Literal["hit", "miss", "stale", "bypass", "collapsed", "refresh"] = Field(
        description="Where the answer came from: computed before (hit), for this request (miss, or "
        "refresh where it asks for that), for another one at the same time (collapsed), too long "
        "before while PostgreSQL is away (stale), or past the cache (bypass)."
    )


class TimingsDocument(ResponseModel):
    """Where the time went, in milliseconds; what did not happen took 0."""

    plan: float = Field(description="Parsing, a connection, PostgreSQL's plan, and the split.")
    queue: float = Field(description="Until the last fragment was begun by a worker.")
    execute: float = Field(description="Running: the fragments, or the query itself.")
    merge: float = Field(description="From the last partial to the answer's rows.")
    postgresql: float = Field(
        description="The part of total that was spent waiting for PostgreSQL, in whichever stage; "
        "of fragments, the one that waited longest counts. The rest is Millrace's own."
    )
    total: float = Field(description="All of it, inside the replica.")


class QueryAnswer(ResponseModel):
    """An answer.  Everything is as of `snapshot`, one state of the database."""

    query_id: str = Field(description="The request's id, as in X-Request-ID.")
    columns: list[ColumnDocument]
    rows: list[list[Any]] = Field(
        description="int8 and numeric are numbers with all their digits (strings with "
        "?numbers=string); NaN and infinities are strings; times are ISO 8601; bytea is \\x hex."
    )
    row_count: int
    truncated: bool = Field(description="True when there were more rows than allowed.")
    plan: PlanDocument
    snapshot: str = Field(description="pg_current_snapshot() of the query.")
    age_s: float = Field(description="How old the answer is; 0: computed for this request.")
    stale: bool = Field(description="True when it is too old, and PostgreSQL is away.")
    timings_ms: TimingsDocument
