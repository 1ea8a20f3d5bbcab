"""A client of a running stack, by its public port."""

import http.client
import json
from decimal import Decimal
from typing import Any

LIMIT_S = 60.0


class BalancerClient:
    """A connection for each request, as strangers come."""

    def __init__(self, port: int, operators_token: str = "") -> None:
        self._port = port
        self._operators_token = operators_token

    def call(
        self, method: str, path: str, body: object = None, *, as_operator: bool = False
    ) -> tuple[int, Any]:
        """Send a request; return the status and the JSON, with all digits of its numbers."""
        headers = {"Content-Type": "application/json"}
        if as_operator and self._operators_token:
            headers["Authorization"] = f"Bearer {self._operators_token}"
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=LIMIT_S)
        try:
            connection.request(
                method, path, json.dumps(body) if body is not None else None, headers
            )
            answer = connection.getresponse()
            read = answer.read()
            return answer.status, json.loads(read, parse_float=Decimal) if read else None
        finally:
            connection.close()

    def query(self, sql: str, **options: Any) -> dict[str, Any]:
        """Return the answer of a query, which succeeds."""
        status, answer = self.call("POST", "/v1/query", {"sql": sql, **options})
        assert status == 200, answer
        return dict(answer)

    def workers(self) -> list[dict[str, Any]]:
        """Return what the status tells of each worker."""
        status, answer = self.call("GET", "/v1/status")
        assert status == 200, answer
        found: list[dict[str, Any]] = answer["workers"]["items"]
        return found
