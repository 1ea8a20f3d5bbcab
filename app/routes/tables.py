"""What can be queried, and accelerating it."""

from urllib.parse import quote

from flask import Response

from app.bodies import json_response
from app.endpoints import Endpoints, PathParameter
from app.models_tables import TableDocument, TablesResponse
from app.problem_types import (
    DATABASE_BUSY,
    DATABASE_CONFLICT,
    DATABASE_READ_ONLY,
    DATABASE_UNAVAILABLE,
    TABLE_REFUSED,
    TABLE_UNKNOWN,
)
from app.services import services

endpoints = Endpoints("tables", lane="status")
NAME = PathParameter(
    "name", r"(?s:.{1,300})",
    "A table of the exposed schema, or `schema.table`; letters count as they are, and a part that "
    "has a dot stands in double quotes.",
)  # fmt: skip
_AWAY = (DATABASE_UNAVAILABLE, DATABASE_BUSY, DATABASE_CONFLICT)
_WRITING = (*_AWAY, DATABASE_READ_ONLY, TABLE_UNKNOWN)


@endpoints.endpoint("GET", "/v1/tables", response=TablesResponse, problems=_AWAY)
def list_tables() -> TablesResponse:
    """List what can be queried, and what of it is accelerated.

    At most a thousand tables of the exposed schema, and those of others that are accelerated.
    """
    return TablesResponse(tables=services().tables.desk.all())


@endpoints.endpoint(
    "GET", "/v1/tables/{name}", parameters=[NAME], response=TableDocument,
    problems=(*_AWAY, TABLE_UNKNOWN),
)  # fmt: skip
def look_table_up(name: str) -> TableDocument:
    """Show a table, and how far its acceleration has come."""
    return services().tables.desk.one(name)


@endpoints.endpoint(
    "POST", "/v1/tables/{name}/acceleration", parameters=[NAME], response=TableDocument, status=202,
    problems=(*_WRITING, TABLE_REFUSED),
)  # fmt: skip
def accelerate_table(name: str) -> Response:
    """Have a table accelerated.

    Workers install what tracks its changes, and build its segments in the background; `Location`
    says where to see how far they are. Again for the same table it changes nothing.
    """
    document = services().tables.desk.accelerate(name)
    response = json_response(document, 202)
    response.headers["Location"] = f"/v1/tables/{quote(document.name, safe='')}"
    return response


@endpoints.endpoint(
    "DELETE", "/v1/tables/{name}/acceleration", parameters=[NAME], response=None,
    also={202: TableDocument}, problems=_WRITING,
)  # fmt: skip
def end_acceleration(name: str) -> Response:
    """Have a table accelerated no more.

    204: its triggers, its log and the list of its segments are gone; the files go a while later,
    when no query can be reading them. 202: somebody holds a lock on the table, and workers go on
    trying.
    """
    desk = services().tables.desk
    if desk.remove(name):
        return Response(status=204)
    return json_response(desk.one(name), 202)
