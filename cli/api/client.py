"""Requests to a running Millrace: JSON documents, and answers that are streamed."""

import http.client
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from cli.errors import CommandError

PIECE_BYTES = 64 * 1024
SILENCE_S = 60.0  # streams of events send something every few seconds


class ApiFailed(CommandError):
    """The API cannot be reached, or an answer of it did not come whole."""


class ApiRefused(CommandError):
    """The API answered with a problem; `status` is that of HTTP."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class ApiClient:
    """Sends requests to the balancer or a replica at `url`, each on a connection of its own."""

    def __init__(self, url: str, api_key: str | None, *, silence_s: float = SILENCE_S) -> None:
        address = urlsplit(url)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise ApiFailed(f"{url} is no http or https URL.")
        self._address = address
        self._silence_s = silence_s
        self._headers = {} if api_key is None else {"X-API-Key": api_key}

    def document(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Return the answer's JSON; {} where there is none.  Raises ApiRefused, ApiFailed."""
        data, given = None, dict(headers or {})
        if body is not None:
            data, given["Content-Type"] = json.dumps(body).encode(), "application/json"
        with self.response(method, path, data, given) as response:
            text = response.read()
        document: dict[str, Any] = json.loads(text) if text else {}
        return document

    def pieces(self, path: str, headers: Mapping[str, str]) -> Iterator[bytes]:
        """Yield the bytes of an answer.  Raises ApiFailed, also when their end is missing."""
        with self.response("GET", path, None, headers) as response:
            # an answer that ends without its last chunk raises IncompleteRead
            while piece := response.read1(PIECE_BYTES):
                yield piece

    @contextmanager
    def response(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None,
        headers: Mapping[str, str],
    ) -> Iterator[http.client.HTTPResponse]:
        """Give the response, if it is none of a problem.  Raises ApiRefused, ApiFailed."""
        is_secure = self._address.scheme == "https"
        kind = http.client.HTTPSConnection if is_secure else http.client.HTTPConnection
        connection = kind(self._address.hostname or "", self._address.port, timeout=self._silence_s)
        try:
            connection.request(method, path, body, {**headers, **self._headers})
            response = connection.getresponse()
            if response.status >= http.client.BAD_REQUEST:
                raise ApiRefused(_reason(response.read(), response.status), response.status)
            yield response
        except (OSError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
            raise ApiFailed(
                f"The answer of {self._address.netloc} is not whole: {reason}."
            ) from error
        finally:
            connection.close()


def _reason(body: bytes, status: int) -> str:
    try:
        return str(json.loads(body)["detail"])
    except (ValueError, KeyError, TypeError):
        return f"The answer has status {status}."
