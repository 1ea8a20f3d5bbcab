"""The balancer passes every case of the table, and what it passes on reads the same to h11."""

from collections.abc import Iterator
from pathlib import Path

import h11
import pytest

from tests.conformance.backend import RecordingBackend, Seen
from tests.conformance.case import Case
from tests.conformance.client import observe
from tests.conformance.table import CASES
from tests.conformance.targets import OURS, Target
from tests.conformance.verdict import differences

PATIENCE_S = 8.0
ONE_HOP_ONLY = {b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"upgrade"}


def parameters() -> Iterator[object]:
    for category, case in CASES:
        yield pytest.param(case, id=f"{category}-{case.name}")


@pytest.fixture(scope="module")
def backend() -> Iterator[RecordingBackend]:
    made = RecordingBackend()
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def balancer(
    backend: RecordingBackend, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Target]:
    folder: Path = tmp_path_factory.mktemp("balancer")
    with Target("balancer", OURS, folder, backend.port) as target:
        yield target


@pytest.mark.parametrize("case", list(parameters()))
def test_a_case_has_its_outcome(case: Case, backend: RecordingBackend, balancer: Target) -> None:
    observed = observe(case, balancer.address, backend, PATIENCE_S)
    assert differences(case, observed) == []
    for request in observed.seen:
        assert_canonical(request)


def assert_canonical(request: Seen) -> None:
    """A strict second parser reads the same message, framed one way, with one host."""
    names = [line.partition(b":")[0] for line in request.fields]
    framing = [name for name in names if name in {b"content-length", b"transfer-encoding"}]
    assert len(framing) <= 1
    assert names.count(b"host") == names.count(b"x-request-id") == 1
    assert not ONE_HOP_ONLY & set(names)
    oracle = h11.Connection(h11.SERVER, max_incomplete_event_size=100_000)
    oracle.receive_data(request.raw)
    head = oracle.next_event()
    assert isinstance(head, h11.Request)
    assert request.line == b"%b %b HTTP/1.1" % (head.method, head.target)
    body = b""
    while isinstance(event := oracle.next_event(), h11.Data):
        body += bytes(event.data)
    assert isinstance(event, h11.EndOfMessage)
    assert body == request.body
    assert oracle.trailing_data[0] == b""


def test_no_two_cases_have_one_name() -> None:
    assert len({(category, case.name) for category, case in CASES}) == len(CASES)
    assert len(CASES) >= 150
