"""Processes that know nothing of each other share a limit by parts."""

import time

import structlog

from lb.limiter.wiring import make_limiter
from lb.settings import BalancerSettings


def test_without_redis_each_process_lets_pass_its_part() -> None:
    settings = BalancerSettings(
        backends="127.0.0.1:1", rate_limit="100/minute", processes=4
    )  # fmt: skip
    limiter = make_limiter(settings, clock=time.monotonic, log=structlog.get_logger())
    assert limiter is not None
    assert [policy.share for policy in limiter.policies] == [25]
