"""Jobs over HTTP, as the command line reaches them."""

import http.client
import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from cli.errors import CommandError


class JobRefused(CommandError):
    """A job was not accepted, or cannot be reached; nothing is known of its outcome."""

    exit_code = 2


class JobClient:
    """Asks a replica, or the balancer before it.  Every method raises JobRefused."""

    def __init__(self, url: str, api_key: str | None = None) -> None:
        address = urlsplit(url)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise JobRefused(f"{url} is no http or https URL.")
        self._address = address
        self._headers = {} if api_key is None else {"X-API-Key": api_key}

    def submit(self, kind: str, parameters: Mapping[str, Any]) -> str:
        """Have a job taken in; return its path."""
        body = json.dumps({"kind": kind, "parameters": parameters}).encode()
        headers = {"Content-Type": "application/json"}
        response = self._ask("POST", "/v1/jobs", body, headers)
        return response.headers["Location"] or ""

    def job(self, path: str) -> dict[str, Any]:
        """Return what is told of a job."""
        response = self._ask("GET", path)
        document: dict[str, Any] = json.loads(response.read())
        return document

    def cancel(self, path: str) -> None:
        """End a job."""
        self._ask("DELETE", path)

    def rows(self, path: str) -> Iterator[list[Any]]:
        """Yield the rows of a stream of a job, as they come."""
        response = self._ask("GET", path, headers={"Accept": "application/x-ndjson"})
        line: Any = None
        try:
            for text in response:
                line = json.loads(text)
                if isinstance(line, list):  # the first line tells of the columns
                    yield line
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise JobRefused(f"The rows are not whole: {error}.") from error
        # an answer that was cut off between two lines looks like one that is over
        if not isinstance(line, dict) or "row_count" not in line:
            raise JobRefused("The rows are not whole: their end is missing.")

    def _ask(
        self, method: str, path: str, body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> http.client.HTTPResponse:  # fmt: skip
        secure = self._address.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(self._address.hostname or "", self._address.port)
        try:
            connection.request(method, path, body, {**self._headers, **(headers or {})})
            response = connection.getresponse()
            if response.status >= http.client.BAD_REQUEST:
                raise JobRefused(_reason(response.read(), response.status))
        except (OSError, http.client.HTTPException) as error:
            raise JobRefused(f"{self._address.netloc} does not answer: {error}.") from error
        return response


def _reason(body: bytes, status: int) -> str:
    try:
        return str(json.loads(body)["detail"])
    except (ValueError, KeyError, TypeError):
        return f"The answer has status {status}."
