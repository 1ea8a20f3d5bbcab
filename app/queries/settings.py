"""What the environment says about queries."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class QuerySettings(BaseSettings):
    """Limits and thresholds of queries; each is the environment variable `MILLRACE_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="MILLRACE_", frozen=True, extra="ignore")

    query_timeout_s: float = Field(
        default=30.0, gt=0, le=3600, description="Default and ceiling of a query's `timeout_s`."
    )
    max_rows: int = Field(
        default=10_000, ge=1, description="Default and ceiling of a query's `max_rows`."
    )
    export_timeout_s: float = Field(
        default=3600.0, gt=0, le=86_400,
        description="The same for an answer in a streamed format; the balancer's own limit "
        "bounds it too.",
    )  # fmt: skip
    max_export_rows: int = Field(
        default=1_000_000_000, ge=1,
        description="Default and ceiling of `max_rows` for an answer in a streamed format.",
    )  # fmt: skip
    max_answer_bytes: int = Field(
        default=64 * 1024 * 1024, ge=1024,
        description="Most bytes of values in a JSON answer; one with more is truncated there.",
    )  # fmt: skip
    max_sql_length: int = Field(
        default=100_000, ge=1, description="Longest statement, in characters."
    )
    max_sql_depth: int = Field(
        default=60, ge=1, le=200, description="Deepest nesting of brackets and CASE."
    )
    plan_cache_size: int = Field(
        default=512, ge=1, description="Statements that a process keeps parsed."
    )
    min_fragment_cost: float = Field(
        default=5000.0, gt=0,
        description="Least cost of a fragment, in PostgreSQL's planner units: queries that cost "
        "less than two of these run direct.",
    )  # fmt: skip
    max_fragment_share: float = Field(
        default=0.5, gt=0,
        description="Most that a fragment may cost, as a share of the whole query's cost: where "
        "an index or a join would be paid for in each fragment again, the query runs direct.",
    )  # fmt: skip
    max_query_cost: float = Field(
        default=1e9, gt=0,
        description="Most that PostgreSQL may estimate a query to cost, in its planner units; one "
        "that costs more is refused. A sequential read of 8 kB costs 1.",
    )  # fmt: skip
    max_fragments: int = Field(
        default=64, ge=2, description="Most fragments of a query; ceiling of `partitions`."
    )
    max_partial_rows: int = Field(
        default=50_000, ge=1, description="Most rows that all fragments of a query may send."
    )
    max_partial_bytes: int = Field(
        default=16 * 1024 * 1024,
        ge=1024,
        description="Most bytes of values that a fragment may send.",
    )
    columnar: bool = Field(
        default=True,
        description="Whether queries of accelerated tables may run over their segments; "
        "`engine: columnar` is refused without.",
    )
    columnar_min_cost: float = Field(
        default=500.0, ge=0,
        description="Queries of accelerated tables that cost less, in PostgreSQL's planner units, "
        "run direct without a thought of segments.",
    )  # fmt: skip
    columnar_min_share: float = Field(
        default=0.5, ge=0, le=1,
        description="Least share of a table's rows that must be in segments that are as the table "
        "is now; where less are, PostgreSQL runs the query.",
    )  # fmt: skip
    columnar_fragment_rows: int = Field(
        default=250_000,
        ge=1,
        description="Least rows of segments that are worth a fragment of their own.",
    )
    columnar_fetch_rows: int = Field(
        default=100_000, ge=0,
        description="Most rows, about, that each fragment fetches from PostgreSQL of a table that "
        "is joined, where it has no segments or some are not as the table is now.",
    )  # fmt: skip
    partial_cache_ttl_s: float = Field(
        default=3600.0, ge=0,
        description="How long Redis keeps partials over segments, which stay exact for ever; 0: "
        "it keeps none.",
    )  # fmt: skip
    partial_cache_max_bytes: int = Field(
        default=1024 * 1024, ge=1024, description="Largest partial that is kept there."
    )
    max_overflow: int = Field(
        default=4, ge=0,
        description="Costly queries that a process runs whole at once because no slot of a worker "
        "is free; further ones wait for a slot, or are refused where that would take too long.",
    )  # fmt: skip
    self_check_share: float = Field(
        default=0.01, ge=0, le=1,
        description="Share of split answers that are computed again, whole, in the background, "
        "and compared.",
    )  # fmt: skip
    self_check_timeout_s: float = Field(
        default=60.0, gt=0, description="Time that such a computation may take."
    )
    async_threads: int = Field(
        default=2, ge=1, description="Asynchronous queries that a process runs at once."
    )
    async_timeout_s: float = Field(
        default=600.0, gt=0, le=86400,
        description="Default and ceiling of the `timeout_s` of an asynchronous query; it counts "
        "from when the query begins to run.",
    )  # fmt: skip
    async_max_queued: int = Field(
        default=1000, ge=1, description="Most asynchronous queries that wait, in all replicas."
    )
    async_max_attempts: int = Field(
        default=3, ge=1, description="How often an asynchronous query is begun at most."
    )
    async_lease_s: float = Field(
        default=10.0, ge=0.4,
        description="After so long without a sign of life from the replica that runs it, another "
        "one runs an asynchronous query again.",
    )  # fmt: skip
    async_result_ttl_s: float = Field(
        default=3600.0, gt=0, description="How long a finished asynchronous query is kept."
    )
    async_result_max_bytes: int = Field(
        default=32 * 1024 * 1024, ge=1024,
        description="Largest answer of an asynchronous query that is kept, compressed.",
    )  # fmt: skip
    async_max_streams: int = Field(
        default=4, ge=0,
        description="Event streams that a process has open at once; each takes a thread.",
    )  # fmt: skip

    def for_async(self) -> "QuerySettings":
        """Return the settings with the ceilings of asynchronous queries."""
        return self.model_copy(update={"query_timeout_s": self.async_timeout_s})
