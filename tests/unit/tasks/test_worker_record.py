"""Workers and replicas of different versions read each other's records."""

import json

import pytest

from tasks.errors import MessageMalformed
from tasks.heartbeat import LaneLoad, WorkerRecord

RECORD = WorkerRecord(
    "w", "h", 1, 2, 1, 0.5, 100, 1.5, False, ("query", "bulk"),
    {"query": LaneLoad(2, 0.25), "bulk": LaneLoad(1)}, {"query": 3.5, "bulk": 0.0}, 60.0,
)  # fmt: skip


def test_what_is_written_is_read() -> None:
    assert WorkerRecord.decode(RECORD.encode()) == RECORD


def test_of_a_later_version_what_is_known_is_read() -> None:
    later = json.loads(RECORD.encode()) | {"mood": "good"}
    assert WorkerRecord.decode(json.dumps(later).encode()) == RECORD


def test_an_earlier_version_leaves_out_what_it_did_not_know() -> None:
    earlier = json.loads(RECORD.encode())
    del earlier["worked_s"], earlier["uptime_s"], earlier["loads"]
    found = WorkerRecord.decode(json.dumps(earlier).encode())
    assert (found.worked_s, found.uptime_s, found.loads) == ({}, 0.0, {})


@pytest.mark.parametrize("missing", ["name", "slots", "lanes"])
def test_without_what_every_version_has_it_is_no_record(missing: str) -> None:
    broken = json.loads(RECORD.encode())
    del broken[missing]
    with pytest.raises(MessageMalformed):
        WorkerRecord.decode(json.dumps(broken).encode())
