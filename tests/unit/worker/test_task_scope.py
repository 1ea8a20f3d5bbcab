"""What a worker logs of a task names the request that it is part of."""

import pytest
import structlog

from tasks.lanes import QUERY
from tasks.lease import Lease
from tasks.message import Task
from telemetry.carrier import Continuations
from worker.task_scope import within_request

log = structlog.get_logger(__name__)


def handler(lease: Lease) -> bytes:
    log.info("at work")
    if not lease.task.payload:
        raise ZeroDivisionError
    return lease.task.payload


def test_lines_within_a_task_have_its_requests_ids_and_lines_after_it_have_not() -> None:
    run = within_request(Continuations(), QUERY, handler)
    headers = {"request_id": "r", "query_id": "q", "trace_id": "t", "other": "o"}
    merge = [structlog.contextvars.merge_contextvars]
    with structlog.testing.capture_logs(processors=merge) as entries:
        task = Task("1-0", 0, 1000, "to", b"answer", headers=headers)
        assert run(Lease(task, deliveries=1, age_s=0.0)) == b"answer"
        failing = Task("2-0", 0, 1000, "to", b"", headers={"request_id": "s"})
        with pytest.raises(ZeroDivisionError):
            run(Lease(failing, deliveries=1, age_s=0.0))
        log.info("idle")
    ids = [{k: v for k, v in one.items() if k not in ("event", "log_level")} for one in entries]
    assert ids == [
        {"request_id": "r", "query_id": "q", "trace_id": "t"}, {"request_id": "s"}, {},
    ]  # fmt: skip
