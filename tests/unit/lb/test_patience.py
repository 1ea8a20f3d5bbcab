"""Requests end when they, or those who take part in them, take too long."""

import pytest

from lb.client.patience import overdue
from lb.settings import BalancerSettings

SETTINGS = BalancerSettings(
    backends="a:1", request_timeout_s=100, body_idle_timeout_s=10, first_byte_timeout_s=20
)


@pytest.mark.parametrize(
    ("passed_s", "silent_s", "from_client", "to_client", "status"),
    [
        (99, 19, False, False, None),
        (99, 20, False, False, 504),
        (100, 0, False, False, 504),
        (100, 0, True, False, 408),
        (99, 9, True, False, None),
        (99, 10, True, False, 408),
        (99, 10, False, True, 408),
    ],
)
def test_who_is_slow_decides_how_long_is_waited(
    passed_s: float, silent_s: float, from_client: bool, to_client: bool, status: int | None
) -> None:
    problem = overdue(
        SETTINGS,
        passed_s=passed_s,
        silent_s=silent_s,
        from_client=from_client,
        to_client=to_client,
    )
    assert (problem and problem.status) == status
