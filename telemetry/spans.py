"""Spans of the trace that is being recorded in this thread; where none is, they cost nothing.

A generator must not be left for its consumer inside a `span`: it would stay the current one of
whoever runs next in the thread.  `aside` is for that.
"""

from collections.abc import Mapping
from contextvars import ContextVar, Token
from typing import Protocol, Self

Attributes = Mapping[str, str | int | float | bool]


class Recording(Protocol):
    """A span on its way, as the tracer makes it."""

    @property
    def trace_id(self) -> str:
        """Return the trace's id in hex."""

    @property
    def traceparent(self) -> str:
        """Return what tells others that this span is their parent."""

    @property
    def tracestate(self) -> str:
        """Return what the trace's first program wants to be passed on; mostly empty."""

    def child(self, name: str, attributes: Attributes | None) -> "Recording":
        """Begin a span within this one."""

    def set(self, attributes: Attributes) -> None:
        """Add attributes."""

    def end(self, error: BaseException | None) -> None:
        """End it, as failed where there is an error."""


_current: ContextVar[Recording | None] = ContextVar("millrace_span", default=None)


class Nothing:
    """The span of what is not traced."""

    __slots__ = ()

    def __enter__(self) -> Self:
        """Nothing."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing."""

    def set(self, attributes: Attributes) -> None:
        """Nothing."""


class Span:
    """The current span for as long as its context lasts."""

    __slots__ = ("_recording", "_token")

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._token: Token[Recording | None] | None = None

    def __enter__(self) -> Self:
        """Make it the current one."""
        self._token = _current.set(self._recording)
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        """End it."""
        if self._token is not None:
            _current.reset(self._token)
        self._recording.end(error)

    def set(self, attributes: Attributes) -> None:
        """Add attributes."""
        self._recording.set(attributes)


class Aside(Span):
    """A span that is never the current one; it may end in another thread, or much later."""

    __slots__ = ()

    def __enter__(self) -> Self:
        """Leave the current one."""
        return self


NOTHING = Nothing()


def span(name: str, attributes: Attributes | None = None) -> Span | Nothing:
    """Return a span within the current one, to be entered; it begins at once."""
    parent = _current.get()
    return NOTHING if parent is None else Span(parent.child(name, attributes))


def aside(name: str, attributes: Attributes | None = None) -> Aside | Nothing:
    """Return a span within the current one that others do not come to lie in."""
    parent = _current.get()
    return NOTHING if parent is None else Aside(parent.child(name, attributes))


def current() -> Recording | None:
    """Return the current span; None where nothing is traced."""
    return _current.get()


def commented(sql: str) -> str:
    """Return the statement with a comment that names the current span; as it is where none is.

    PostgreSQL's own log and `pg_stat_activity` then tell whose statement it is.  On a line of its
    own, for the text may end with a comment.  Not for what is prepared to be used again: each
    trace would have a text of its own.
    """
    recording = _current.get()
    return sql if recording is None else f"{sql}\n/*traceparent='{recording.traceparent}'*/"
