"""What the access log takes."""

import io
from itertools import cycle

import pytest

from lb.access_log import AccessLog, Verbosity


@pytest.mark.parametrize(
    ("verbosity", "of_errors", "of_others"),
    [("off", 0, 0), ("errors", 8, 0), ("sampled", 8, 2), ("full", 8, 8)],
)
def test_the_verbosity_says_which_requests_are_logged(
    verbosity: Verbosity, of_errors: int, of_others: int
) -> None:
    draws = cycle([0.1, 0.25, 0.5, 0.9])
    log = AccessLog(
        verbosity, io.BytesIO(), sample=0.25, random=lambda: next(draws), now_text=lambda: "now"
    )
    assert sum(log.takes(503) for _ in range(8)) == of_errors
    assert sum(log.takes(200) for _ in range(8)) == of_others
