"""The fields of W3C Trace Context, as the standard wants them read."""

import pytest

from telemetry.trace_context import TraceContext, attempt_id, parse

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(
    ("text", "sampled"),
    [
        (f"00-{TRACE}-{SPAN}-01", True),
        (f"00-{TRACE}-{SPAN}-00", False),
        (f"00-{TRACE}-{SPAN}-03", True),
        (f"cc-{TRACE}-{SPAN}-01-of a later version", True),
    ],
)
def test_a_valid_parent_is_read(text: str, sampled: bool) -> None:
    assert parse(text, "a=b") == TraceContext(int(TRACE, 16), int(SPAN, 16), sampled, "a=b")


@pytest.mark.parametrize(
    "text",
    [
        "", f"00-{TRACE}-{SPAN}", f"ff-{TRACE}-{SPAN}-01", f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01", f"00-{TRACE.upper()}-{SPAN}-01", f"00-{TRACE}-{SPAN}-01-x",
        f"00-{TRACE}-{SPAN}-01\n", f" 00-{TRACE}-{SPAN}-01",
    ],
)  # fmt: skip
def test_what_is_not_valid_counts_as_nothing(text: str) -> None:
    assert parse(text) is None


def test_a_state_that_is_too_long_is_left_out() -> None:
    found = parse(f"00-{TRACE}-{SPAN}-01", "a=" + "b" * 511)
    assert found is not None
    assert found.state == ""


def test_each_attempt_has_an_id_that_everybody_can_compute() -> None:
    ids = {attempt_id(what, number) for what in ("a/1", "a/2") for number in (1, 2, 3)}
    assert len(ids) == 6
    assert all(0 < one < 2**64 for one in ids)
