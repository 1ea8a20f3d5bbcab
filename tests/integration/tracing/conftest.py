"""Receivers of spans, and the stack's fixtures."""

from collections.abc import Iterator

import pytest

from tests.integration.app.conftest import environment, start
from tests.integration.lb.conftest import running
from tests.integration.tracing.receiver import Receiver

__all__ = ["environment", "running", "start"]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that serves during the test."""
    with Receiver() as receiver:
        yield receiver
