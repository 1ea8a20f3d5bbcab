"""Tables as documents of the API."""

from collections.abc import Mapping

from app.models_tables import (
    AccelerationDocument,
    AccelerationState,
    ColumnDocument,
    FailureDocument,
    LeftOutDocument,
    TableDocument,
)
from db.tracking.breaks import PROBLEMS
from db.tracking.names import written_name
from db.tracking.orders import Order
from db.tracking.refusals import REFUSALS
from db.tracking.survey import Acceleration, QueryableTable

_KINDS = {
    "r": "table", "p": "partitioned table", "v": "view", "m": "materialized view",
    "f": "foreign table", "": "missing",
}  # fmt: skip
_SELF = "A worker with MILLRACE_SEGMENTS_FOLDER makes it anew by itself."
_PROBLEM_REMEDIES = {
    "no-right": "GRANT SELECT on it to the role of MILLRACE_READER_ROLE.",
    "renamed": "Order it by its new name, and take the order of the old one back.",
    "gone": "Make the table again, or take the order back.",
}
_ORDER_REMEDIES = {
    "missing": "Make the table, or take the order back.",
    "busy": "It is tried again; end long transactions that hold locks on the table.",
    "sql": "It is tried again; see the reason.",
}
_BUILD_REMEDIES = {
    "folder_full": "Raise MILLRACE_SEGMENTS_MAX_MB, or accelerate fewer tables.",
    "disk_full": "Make room where MILLRACE_SEGMENTS_FOLDER is.",
    "folder": "See that workers may write to MILLRACE_SEGMENTS_FOLDER.",
    "row_too_large": "Raise MILLRACE_SEGMENTS_READ_MB.",
    "nothing_to_copy": "Take the order back: nothing of it can be accelerated.",
    "untracked": _SELF,
    "sql": "It is tried again; see the reason.",
}


def table_document(
    table: QueryableTable, acceleration: Acceleration | None, order: Order | None
) -> TableDocument:
    """Return a table with what is known of its acceleration."""
    return TableDocument.model_validate(
        {
            "name": written_name(table.schema, table.name),
            "schema_name": table.schema,
            "table_name": table.name,
            "kind": _KINDS[table.kind],
            "columns": [ColumnDocument(name=name, type=kind) for name, kind in table.columns],
            "rows_estimate": table.rows,
            "bytes": table.byte_size,
            "acceleration": _acceleration(acceleration, order),
        }
    )


def _acceleration(found: Acceleration | None, order: Order | None) -> AccelerationDocument | None:
    if found is None and order is None:
        return None
    one = found or Acceleration(0, 0, "", "", "", 0, 0, None, 0, None, None, 0)
    return AccelerationDocument(
        state=_state(found, order),
        key_column=one.key_column or None,
        buckets=one.buckets,
        copied_buckets=one.copied_buckets,
        clean_buckets=one.clean_buckets,
        clean_share=round(one.clean_share, 4),
        segments=one.segments,
        building=one.building,
        rows=one.row_count,
        bytes=one.byte_size,
        lag_s=round(one.lag_s, 3),
        log_rows=one.log_rows,
        left_out=[
            LeftOutDocument(column=column, reason=reason)
            for column, reason in sorted(one.left_out.items())
        ],
        queries=one.asked,
        columnar_queries=one.answered,
        hit_share=round(one.answered / one.asked, 4) if one.asked else None,
        asked_s=None if one.asked_s is None else round(one.asked_s, 1),
        failure=_failure(one, order),
    )


def _state(found: Acceleration | None, order: Order | None) -> AccelerationState:
    if order is not None and not order.is_wanted:
        return "removing"
    if found is None:
        return "ordered" if order is None or order.code is None else "refused"
    if found.problem is not None:
        return "broken"
    return "ready" if found.copied_buckets == found.buckets else "building"


def _failure(found: Acceleration, order: Order | None) -> FailureDocument | None:
    if order is not None and order.code is not None:
        remedies: Mapping[str, str] = {
            **{one.code: one.remedy for one in REFUSALS}, **_ORDER_REMEDIES
        }  # fmt: skip
        return _document(order.code, order.problem or "", remedies)
    if found.problem is not None:
        return _document(found.problem, PROBLEMS[found.problem], _PROBLEM_REMEDIES)
    if found.cause is not None:
        return _document(found.cause, found.failure or "", _BUILD_REMEDIES)
    return None


def _document(code: str, reason: str, remedies: Mapping[str, str]) -> FailureDocument:
    return FailureDocument(code=code, reason=reason, remedy=remedies.get(code, _SELF))
