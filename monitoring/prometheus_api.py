"""Questions to a running Prometheus, by its HTTP API."""

import http.client
import json
import math
from typing import Any
from urllib.parse import urlencode, urlsplit


class PrometheusUnavailable(Exception):
    """It does not answer, or not as Prometheus does."""


class QueryRefused(Exception):
    """Prometheus cannot compute the expression; the text says why."""


class PrometheusApi:
    """`url` such as http://127.0.0.1:9090; each call raises PrometheusUnavailable."""

    def __init__(self, url: str, *, timeout_s: float = 30.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise PrometheusUnavailable(f"{url} is no address of Prometheus: give http://host:port")
        self._url = url
        self._path = parts.path.rstrip("/")
        self._timeout_s = timeout_s
        self._host, self._port, self._tls = parts.hostname, parts.port, parts.scheme == "https"

    def targets(self) -> list[dict[str, Any]]:
        """Return what is scraped now."""
        found: list[dict[str, Any]] = self._get("targets", state="active")["activeTargets"]
        return found

    def rules(self) -> list[dict[str, Any]]:
        """Return all rules, of recordings and of alerts."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def values(self, expr: str, *, start: float, end: float, step_s: float) -> list[float]:
        """Return all numbers that an expression has in a time range; NaN is none.

        Raises QueryRefused.
        """
        data = self._get("query_range", query=expr, start=start, end=end, step=step_s)
        numbers = (float(value) for series in data["result"] for _, value in series["values"])
        return [number for number in numbers if not math.isnan(number)]

    def _get(self, what: str, **arguments: object) -> Any:
        kind = http.client.HTTPSConnection if self._tls else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=self._timeout_s)
        try:
            connection.request("GET", f"{self._path}/api/v1/{what}?{urlencode(arguments)}")
            answer = json.loads(connection.getresponse().read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise PrometheusUnavailable(f"{self._url} does not answer: {error}") from error
        finally:
            connection.close()
        if answer.get("status") != "success":
            raise QueryRefused(str(answer.get("error")))
        return answer["data"]
