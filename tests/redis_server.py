"""Which server the tests of the queue run on."""

import os
from pathlib import Path


def given_server() -> Path | None:
    """Return the program that MILLRACE_TEST_REDIS_SERVER names; None: that of the requirements."""
    name = os.environ.get("MILLRACE_TEST_REDIS_SERVER")
    return Path(name) if name else None
