"""Running and explaining queries."""

import json

from flask import Response, g, request

from app.bodies import json_response
from app.endpoints import Endpoints
from app.models_query import (
    FragmentDocument,
    QueryAnswer,
    QueryExplanation,
    QueryRequest,
)
from app.problem_types import (
    CANCELLED,
    DATABASE_BUSY,
    DATABASE_CONFLICT,
    DATABASE_FAILED,
    DATABASE_UNAVAILABLE,
    NOT_SPLITTABLE,
    QUERY_TOO_COSTLY,
    SQL_FAILED,
    SQL_INVALID,
    SQL_NOT_PERMITTED,
    SQL_SYNTAX,
    STATEMENT_NOT_ALLOWED,
    TIMED_OUT,
    VALIDATION_FAILED,
)
from app.problems import FieldError, Problem
from app.queries.encoding import encode_rows
from app.queries.request import Answer, QueryInput
from app.queries.settings import QuerySettings
from app.services import services
from app.waiting_client import client_socket, patience_s

endpoints = Endpoints("query")
PROBLEMS = (
    SQL_SYNTAX, SQL_INVALID, SQL_FAILED, SQL_NOT_PERMITTED, STATEMENT_NOT_ALLOWED, NOT_SPLITTABLE,
    QUERY_TOO_COSTLY, TIMED_OUT, CANCELLED, DATABASE_UNAVAILABLE, DATABASE_BUSY, DATABASE_CONFLICT,
    DATABASE_FAILED,
)  # fmt: skip
EXAMPLE = {"sql": "SELECT grp, count(*), avg(v), max(n) FROM numbers GROUP BY grp ORDER BY grp"}


@endpoints.endpoint(
    "POST", "/v1/query", request=QueryRequest, response=QueryAnswer, problems=PROBLEMS,
    example=EXAMPLE,
)  # fmt: skip
def run_query(body: QueryRequest) -> Response:
    """Run a query.

    The answer is exactly PostgreSQL's, at one snapshot, whether the query ran whole or in parts.
    """
    as_strings = _numbers_as_strings()
    query = query_input(body, services().query_settings)
    with services().running.track(
        g.request_id, patience_s(query.timeout_s), client_socket()
    ) as control:
        answer = services().queries.run(query, control)
    return json_response(encode_answer(answer, as_strings))


@endpoints.endpoint(
    "POST", "/v1/query/explain", request=QueryRequest, response=QueryExplanation,
    problems=PROBLEMS, example=EXAMPLE,
)  # fmt: skip
def explain_query(body: QueryRequest) -> QueryExplanation:
    """Explain how a query would run.

    Nothing is run: neither the query nor its parts.
    """
    query = query_input(body, services().query_settings)
    plan = services().queries.explain(query).plan
    cost = plan.explained.cost if plan.explained else 0.0
    rows = plan.explained.rows if plan.explained else 0
    if plan.split is None:
        return QueryExplanation(
            mode="direct", reason=plan.reason, cost=cost, estimated_rows=rows, table=None,
            fragment_sql=None, fragments=[], merge_sql=None,
        )  # fmt: skip
    table = plan.table
    parts = [
        FragmentDocument(rows=part.rows, sql=part.sql, params=list(part.params))
        for part in plan.parts
    ]
    return QueryExplanation(
        mode="partitioned",
        reason=plan.reason,
        cost=cost,
        estimated_rows=rows,
        table=f"{table.schema}.{table.name}" if table else None,
        fragment_sql=plan.parts[0].sql,
        fragments=parts,
        merge_sql=plan.split.merge.query.sql if plan.split.merge else None,
    )


def query_input(body: QueryRequest, settings: QuerySettings) -> QueryInput:
    """Hold the request to the ceilings.  Raises Problem, naming each field above its own."""
    timeout_s = settings.query_timeout_s if body.timeout_s is None else body.timeout_s
    max_rows = settings.max_rows if body.max_rows is None else body.max_rows
    above = [
        FieldError(pointer, f"{_plain(value)} is above the ceiling of {_plain(most)} ({variable}).",
                   f"Send at most {_plain(most)}, or leave it out.")
        for pointer, value, most, variable in (
            ("/timeout_s", timeout_s, settings.query_timeout_s, "MILLRACE_QUERY_TIMEOUT_S"),
            ("/max_rows", max_rows, settings.max_rows, "MILLRACE_MAX_ROWS"),
            ("/partitions", body.partitions or 1, settings.max_fragments, "MILLRACE_MAX_FRAGMENTS"),
        )
        if value > most
    ]  # fmt: skip
    if above:
        detail = " ".join(f"{error.pointer}: {error.reason} {error.remedy}" for error in above)
        raise Problem(VALIDATION_FAILED, detail, errors=above)
    params = tuple(_as_text(value) for value in body.params)
    return QueryInput(body.sql, params, timeout_s, max_rows, body.engine, body.partitions)


def _plain(number: float) -> str:
    return f"{number:.10g}"


def _as_text(value: str | float | bool | None) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)


def _numbers_as_strings() -> bool:
    numbers = request.args.get("numbers", "number")
    if numbers not in ("number", "string"):
        raise Problem(
            VALIDATION_FAILED,
            "The URL's parameter numbers is neither number nor string. Send one of these.",
        )
    return numbers == "string"


def encode_answer(answer: Answer, numbers_as_strings: bool) -> bytes:
    """Return the body of an answer: a QueryAnswer, its rows encoded straight from their text."""
    columns = [
        {"name": column.name, "type": name}
        for column, name in zip(answer.columns, answer.types, strict=True)
    ]
    timings = answer.timings
    head = {"query_id": g.request_id, "columns": columns}
    tail = {
        "row_count": len(answer.rows),
        "truncated": answer.truncated,
        "plan": {"mode": answer.mode, "fragments": answer.fragments, "reason": answer.reason},
        "snapshot": answer.snapshot,
        "age_s": 0.0,
        "stale": False,
        "timings_ms": {
            stage: round(getattr(timings, stage), 3)
            for stage in ("plan", "queue", "execute", "merge", "total")
        },
    }
    rows = encode_rows(answer.columns, answer.rows, numbers_as_strings=numbers_as_strings)
    start = json.dumps(head, ensure_ascii=False)[:-1]
    end = json.dumps(tail, ensure_ascii=False)[1:]
    return f'{start}, "rows": {rows}, {end}\n'.encode()
