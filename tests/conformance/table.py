"""All cases, by category."""

from tests.conformance.case import Case
from tests.conformance.cases import answers, fields, framing, request_line, streams

TABLE: dict[str, tuple[Case, ...]] = {
    "request line": request_line.FORM,
    "version": request_line.VERSIONS,
    "method": request_line.METHODS,
    "target": request_line.TARGETS,
    "host": fields.HOST,
    "field name": fields.NAMES,
    "field value": fields.VALUES,
    "hop by hop": fields.HOP_BY_HOP,
    "expect and upgrade": fields.EXPECT_AND_UPGRADE,
    "content length": framing.CONTENT_LENGTH,
    "transfer encoding": framing.TRANSFER_ENCODING,
    "chunks": framing.CHUNKS,
    "trailers": framing.TRAILERS,
    "smuggling": streams.SMUGGLING,
    "pipelining": streams.PIPELINING,
    "limits": streams.LIMITS,
    "splits": streams.SPLITS,
    "early answer": streams.EARLY,
    "answer framing": answers.FRAMING,
    "interim answer": answers.INTERIM,
    "bad answer": answers.FAULTS,
    "answer's end": answers.ENDS,
    "answer hop by hop": answers.HOP_BY_HOP,
}
CASES: tuple[tuple[str, Case], ...] = tuple(
    (category, case) for category, cases in TABLE.items() for case in cases
)
