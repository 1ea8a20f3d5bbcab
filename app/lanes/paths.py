"""Which lane a request belongs to: by its method and target, before anything else is read."""

import re
from collections.abc import Iterable
from urllib.parse import parse_qs, unquote

from app.endpoints import Endpoint
from app.formats.choice import JSON, chosen_format
from app.lanes.lane import LaneName
from app.problems import Problem

# documentation, metrics, and what there is not: little work, and none that anybody waits for
OTHERS: LaneName = "status"
_PLAIN_ACCEPT = frozenset((None, "", "*/*", "application/json"))


class LanePaths:
    """The lanes of the calls, as their declarations say.

    Answers in a format that is streamed hold their thread for as long as their client reads, and
    so belong to the lane `bulk`, whatever the call.
    """

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self._exact: dict[tuple[str, str], LaneName] = {}
        self._patterns: list[tuple[str, re.Pattern[str], LaneName]] = []
        for endpoint in endpoints:
            if endpoint.parameters:
                pattern = re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(endpoint.path)))
                self._patterns.append((endpoint.method, pattern, endpoint.lane))
            else:
                self._exact[endpoint.method, endpoint.path] = endpoint.lane

    def lane_of(self, method: str, target: str, accept: str | None) -> LaneName:
        """Return the lane of a request."""
        path, _, query = target.partition("?")
        if not path.startswith("/"):  # absolute form: http://host/path
            path = "/" + path.partition("://")[2].partition("/")[2]
        if "%" in path:
            path = unquote(path)
        if method == "HEAD":
            method = "GET"
        lane = self._exact.get((method, path)) or self._by_pattern(method, path)
        if lane == "query" and _is_streamed(query, accept):
            return "bulk"
        return lane

    def _by_pattern(self, method: str, path: str) -> LaneName:
        for wanted, pattern, lane in self._patterns:
            if wanted == method and pattern.fullmatch(path):
                return lane
        return OTHERS


def _is_streamed(query: str, accept: str | None) -> bool:
    if accept in _PLAIN_ACCEPT and "format" not in query:
        return False
    named = parse_qs(query, keep_blank_values=True).get("format", [None])[0]
    try:
        return chosen_format(accept, named) is not JSON
    except Problem:
        return False  # it will be refused
