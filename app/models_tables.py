"""Bodies of the calls about tables."""

from typing import Literal

from pydantic import Field

from app.models import ResponseModel

AccelerationState = Literal["ordered", "building", "ready", "broken", "refused", "removing"]


class ColumnDocument(ResponseModel):
    """A column."""

    name: str
    type: str = Field(description="As PostgreSQL's format_type writes it.")


class LeftOutDocument(ResponseModel):
    """A column that segments do not hold; a query that needs it reads PostgreSQL."""

    column: str
    reason: str


class FailureDocument(ResponseModel):
    """Why something of an acceleration failed; it is tried again."""

    code: str = Field(description="A word for the kind of it.")
    reason: str
    remedy: str = Field(description="What to do, where somebody has to.")


class AccelerationDocument(ResponseModel):
    """How far the acceleration of a table has come."""

    state: AccelerationState = Field(
        description="ordered: a worker is to begin; building: not every key range has a copy yet; "
        "ready: each has one; broken: changes may have gone unnoticed, and its queries run on "
        "PostgreSQL until it was made anew; refused: it cannot be, for the reason in failure; "
        "removing: it is being removed."
    )
    key_column: str | None = Field(description="By which its key ranges are cut.")
    buckets: int = Field(description="Key ranges.")
    copied_buckets: int = Field(description="Those that have a copy.")
    clean_buckets: int = Field(description="Those whose copy is as good as the table now.")
    clean_share: float = Field(description="The share of these.")
    segments: int = Field(description="Files in use.")
    building: int = Field(description="Files being built.")
    rows: int = Field(description="Rows in them.")
    bytes: int = Field(description="Bytes of them.")
    lag_s: float = Field(
        description="Age of the oldest copy that is out of date, or the longest time that a key "
        "range has waited for its first; 0 when there is none of either."
    )
    log_rows: int = Field(description="Rows of the log of changes.")
    left_out: list[LeftOutDocument] = Field(description="Columns that are not copied.")
    queries: int = Field(description="Queries that named it since it was accelerated.")
    columnar_queries: int = Field(description="Those that segments answered, at least in part.")
    hit_share: float | None = Field(description="The share of these; null while there are none.")
    asked_s: float | None = Field(description="Seconds since the last one, about.")
    failure: FailureDocument | None


class TableDocument(ResponseModel):
    """A table that can be queried."""

    name: str = Field(description="As the path of its own document has it: schema.table.")
    schema_name: str
    table_name: str
    kind: Literal[
        "table", "partitioned table", "view", "materialized view", "foreign table", "missing"
    ]
    columns: list[ColumnDocument]
    rows_estimate: int | None = Field(description="PostgreSQL's; null where it has none.")
    bytes: int = Field(description="On PostgreSQL's disk, without indexes.")
    acceleration: AccelerationDocument | None = Field(description="null where nobody ordered any.")


class TablesResponse(ResponseModel):
    """What can be queried."""

    tables: list[TableDocument]
