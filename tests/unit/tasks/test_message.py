"""Messages survive the way; anything else is refused with one error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import MessageMalformed
from tasks.heartbeat import LaneLoad, WorkerRecord
from tasks.message import Reply, Task

seconds = st.floats(0, 1e6)
tasks = st.builds(
    Task,
    id=st.builds("{}-{}".format, st.integers(0, 2**63), st.integers(0, 2**63)),
    index=st.integers(0),
    budget_ms=st.integers(1),
    reply_to=st.text(),
    payload=st.binary(),
    is_copy=st.booleans(),
    headers=st.dictionaries(st.text(), st.text()),
)
replies = st.builds(
    Reply,
    index=st.integers(0),
    payload=st.binary() | st.just(b"\n\n"),
    worker=st.text(),
    error=st.none() | st.text(),
    queued_s=seconds,
    ran_s=seconds,
    attempt=st.integers(1),
)
records = st.builds(
    WorkerRecord,
    started_at=seconds,
    cpu_percent=seconds,
    lanes=st.lists(st.text()).map(tuple),
    loads=st.dictionaries(
        st.text(), st.builds(LaneLoad, st.integers(0, 99), st.none() | st.floats(0, 1e6))
    ),
)


@given(tasks)
def test_a_task_is_read_as_it_was_written(task: Task) -> None:
    assert Task.decode(task.id.encode(), task.fields()) == task


@given(replies)
def test_a_reply_is_read_as_it_was_written(reply: Reply) -> None:
    assert Reply.decode(reply.encode()) == reply


def test_a_reply_of_a_worker_that_counts_no_attempts_is_read() -> None:
    reply = Reply.decode(b'[2,"w",null,0.5,1.5]\nrows')
    assert reply == Reply(2, b"rows", "w", None, 0.5, 1.5, attempt=1)


@given(records)
def test_a_workers_record_is_read_as_it_was_written(record: WorkerRecord) -> None:
    assert WorkerRecord.decode(record.encode()) == record


@given(st.binary())
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(MessageMalformed):
        Reply.decode(data)
    with pytest.raises(MessageMalformed):
        WorkerRecord.decode(data)


@given(tasks, st.sampled_from(["index", "budget_ms", "reply_to", "payload"]))
def test_a_task_that_lacks_a_field_is_refused(task: Task, name: str) -> None:
    fields = task.fields()
    del fields[name.encode()]
    with pytest.raises(MessageMalformed):
        Task.decode(task.id.encode(), fields)


def test_an_entry_whose_id_holds_no_time_is_refused() -> None:
    with pytest.raises(MessageMalformed):
        Task.decode(b"x-0", Task("1-0", 0, 1, "", b"").fields())


@pytest.mark.parametrize("written", [None, b"", b"{", b"[1]", b"\xff", b'{"a": 1}'])
def test_a_task_without_headers_or_with_broken_ones_is_a_task(written: bytes | None) -> None:
    fields = Task("1-0", 0, 1, "to", b"payload").fields()
    assert b"headers" not in fields  # as those of older versions
    if written is not None:
        fields[b"headers"] = written
    assert Task.decode(b"1-0", fields) == Task("1-0", 0, 1, "to", b"payload")
