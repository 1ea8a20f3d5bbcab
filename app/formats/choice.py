"""Which format, and which compression, a request asks for (RFC 9110 section 12.5)."""

from collections.abc import Sequence
from dataclasses import dataclass

from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header, parse_options_header

from app.problem_types import NOT_ACCEPTABLE, VALIDATION_FAILED
from app.problems import Problem


@dataclass(frozen=True)
class Format:
    """A format of answers; `content_type` is what it is sent with."""

    name: str
    content_type: str

    @property
    def media_type(self) -> str:
        """The type without its parameters."""
        return self.content_type.partition(";")[0]


JSON = Format("json", "application/json")
NDJSON = Format("ndjson", "application/x-ndjson")
CSV = Format("csv", "text/csv; charset=utf-8; header=present")
ARROW = Format("arrow", "application/vnd.apache.arrow.stream")
FORMATS = (JSON, NDJSON, CSV, ARROW)
ENCODINGS = ("zstd", "gzip")


def chosen_format(
    accept: str | None, named: str | None, formats: Sequence[Format] = FORMATS
) -> Format:
    """Return the format that the header `Accept`, or the URL's `format`, which wins, asks for.

    Between equals the first of `formats` wins.  Raises Problem: 406 for none that there is.
    """
    if named is not None:
        for found in formats:
            if found.name == named:
                return found
        names = ", ".join(each.name for each in formats)
        raise Problem(VALIDATION_FAILED, f"The URL's parameter format is none of {names}.")
    if not accept or not accept.strip():
        return formats[0]
    wanted = parse_accept_header(accept, MIMEAccept)
    rated = [(_quality(each.media_type, wanted), -place) for place, each in enumerate(formats)]
    quality, place = max(rated)
    if quality <= 0:
        available = [each.content_type for each in formats]
        raise Problem(
            NOT_ACCEPTABLE,
            f"Accept names no format that there is. Send one of: {', '.join(available)}.",
            extra={"available": available},
        )
    return formats[-place]


def _quality(media_type: str, wanted: MIMEAccept) -> float:
    """Return the quality of the most specific range that covers `media_type`; 0 for none."""
    kind = media_type.partition("/")[0]
    best = (0, 0.0)
    for value, quality in wanted:
        given, parameters = parse_options_header(value)
        given = given.lower()
        if given == media_type:
            # parameters such as charset change nothing; a CSV without its header isn't made
            if parameters.get("header", "present") != "present":
                continue
            specificity = 3
        elif given == f"{kind}/*":
            specificity = 2
        elif given in ("*/*", "*"):
            specificity = 1
        else:
            continue
        best = max(best, (specificity, quality))
    return best[1]


def chosen_encoding(accept_encoding: str | None) -> str | None:
    """Return the compression to use; None: none was asked for, or none that there is."""
    wanted = dict(parse_accept_header(accept_encoding or ""))
    rated = [(wanted.get(each, 0.0), -place) for place, each in enumerate(ENCODINGS)]
    quality, place = max(rated)
    return ENCODINGS[-place] if quality > 0 else None
