"""Bodies of the call that explains a query."""

from typing import Any, Literal

from pydantic import Field

from app.models import ResponseModel
from app.models_query import ColumnDocument, TimingsDocument

Mode = Literal["direct", "partitioned", "columnar", "mixed"]


class CacheDocument(ResponseModel):
    """What the cache has to do with a query."""

    cacheable: bool
    reason: str = Field(description="Why its answer is not kept; empty when it is.")
    age_s: float | None = Field(description="Age of the answer that is kept now; null for none.")


class LimitsDocument(ResponseModel):
    """What bounds the query, and the choice of how to run it.  Costs are in planner units."""

    timeout_s: float = Field(description="Its deadline, from when the request is begun.")
    max_rows: int = Field(description="Most rows of the answer; the rest is truncated.")
    max_query_cost: float = Field(description="A query that costs more is refused.")
    min_fragment_cost: float = Field(description="Least cost that is worth a fragment.")
    max_fragment_share: float = Field(
        description="Most that one fragment may cost, as a share of the whole query's cost."
    )
    max_fragments: int
    max_partial_rows: int = Field(description="Most rows that all fragments may send together.")
    max_partial_bytes: int = Field(description="Most bytes that one fragment may send.")


class DrivingTableDocument(ResponseModel):
    """What is cut: each row of it is read by exactly one fragment."""

    table: str | None = Field(description="null: a branch of UNION that runs in one piece.")
    blocks: int = Field(description="Its size in pages of 8 kB, children included.")
    fragments: int = Field(description="The number of parts that it is cut into.")
    why: str = Field(description="Why this one.")
    cut: str = Field(description="How it is cut.")


class OtherTableDocument(ResponseModel):
    """A table that each fragment reads as it is."""

    table: str
    blocks: int
    why: str = Field(description="Why it is not the one that is cut.")


class FragmentRunDocument(ResponseModel):
    """How a fragment ran."""

    queued_ms: float = Field(description="Until a worker began it.")
    ran_ms: float = Field(description="In the worker, waiting for PostgreSQL included.")
    postgresql_ms: float = Field(description="What of that was waiting for PostgreSQL.")
    rows: int = Field(description="Rows that it sent.")
    worker: str
    attempt: int = Field(description="How often it was given to a worker: more than 1 where one "
                         "died.")  # fmt: skip


class FragmentDocument(ResponseModel):
    """One part of a split query."""

    engine: Literal["postgresql", "duckdb"] = Field(
        description="What runs it: duckdb reads segments of accelerated tables."
    )
    rows: str = Field(description="Which rows it reads, in words.")
    sql: str
    params: list[str | None] = Field(description="Values of $1 … in its SQL.")
    cost: float | None = Field(
        description="PostgreSQL's estimate, in planner units; null where it does not run it."
    )
    estimated_rows: int | None = Field(
        description="PostgreSQL's estimate of the rows that it sends; null likewise."
    )
    ran: FragmentRunDocument | None = Field(description="Only with ?analyze=1.")


class AnalysisDocument(ResponseModel):
    """What happened when it was run; the rows are not kept."""

    mode: Mode
    left_split: str | None = Field(
        description="Why a query that was to run in parts ran whole in the end; else null."
    )
    rows: int = Field(description="Rows of the answer.")
    truncated: bool = Field(description="True when there were more than max_rows.")
    timings_ms: TimingsDocument
    postgresql_plan: dict[str, Any] | None = Field(
        description="Of a query that ran whole: PostgreSQL's EXPLAIN (ANALYZE, VERBOSE, BUFFERS); "
        "null where it would tell of other schemas, or of rows that a policy hides."
    )


class QueryExplanation(ResponseModel):
    """How a query would run, and with ?analyze=1 how it did."""

    mode: Mode
    reason: str = Field(description="Why it runs this way.")
    reasons_not_to_split: list[str] = Field(
        description="All that were found, the one that decided first; empty when it is split."
    )
    reason_not_columnar: str | None = Field(
        description="Why segments are not used; null when they are."
    )
    cache: CacheDocument
    cost: float = Field(description="PostgreSQL's estimate for the whole query, planner units.")
    estimated_rows: int = Field(description="PostgreSQL's estimate of the rows of the answer.")
    driving_tables: list[DrivingTableDocument] = Field(
        description="One, or one for each branch of UNION; none when direct."
    )
    other_tables: list[OtherTableDocument]
    fragment_count: int = Field(description="0 when direct.")
    fragment_count_reason: str = Field(description="Where that number comes from.")
    fragments: list[FragmentDocument]
    partial_columns: list[ColumnDocument] = Field(
        description="The columns that fragments send, named as in their SQL."
    )
    merge_sql: str | None = Field(
        description="How the partials become the answer, as arrays of each of their columns; "
        "null when direct, and where they follow each other."
    )
    limits: LimitsDocument
    analysis: AnalysisDocument | None = Field(description="Only with ?analyze=1.")
