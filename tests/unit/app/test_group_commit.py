"""Group commit: who waits together is stored together, and each hears what became of it."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from app.digests.errors import NotTaken, StoreUnsure
from app.digests.group_commit import GroupCommit
from app.digests.metrics import DigestMetrics
from app.digests.sighting import Sighting, summed


def sighting(name: str) -> Sighting:
    return Sighting("sha256", name.encode(), 1, None)


class Disk:
    """Notes what is written; while `gate` is shut, a write takes its time."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.groups: list[list[str]] = []
        self.begun = 0
        self.error: Exception | None = None

    def write(self, sightings: Sequence[Sighting]) -> None:
        self.begun += 1
        assert self.gate.wait(30)
        if self.error is not None:
            raise self.error
        self.groups.append([one.digest.decode() for one in sightings])


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as pool:
        yield pool


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


Make = Callable[..., GroupCommit]


@pytest.fixture
def make(disk: Disk, registry: CollectorRegistry) -> Iterator[Make]:
    made: list[GroupCommit] = []

    def build(max_waiting: int = 100, timeout_s: float = 20.0) -> GroupCommit:
        commit = GroupCommit(
            disk.write,
            max_waiting=max_waiting,
            timeout_s=timeout_s,
            metrics=DigestMetrics(registry),
        )
        commit.start()
        made.append(commit)
        return commit

    yield build
    disk.gate.set()
    for commit in made:
        commit.stop()


def eventually(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.002)


def waiting(commit: GroupCommit) -> int:
    return len(commit._waiting)


def begin(
    threads: ThreadPoolExecutor, commit: GroupCommit, disk: Disk, others: Sequence[str]
) -> list[Future[None]]:
    """Let one write hang, and the others wait behind it."""
    disk.gate.clear()
    began = [threads.submit(commit.store, [sighting("first")])]
    eventually(lambda: disk.begun == 1)
    for name in others:
        began.append(threads.submit(commit.store, [sighting(name)]))
        eventually(lambda: waiting(commit) == len(began) - 1)
    return began


def test_those_who_come_during_a_commit_share_the_next(
    make: Make, disk: Disk, threads: ThreadPoolExecutor
) -> None:
    commit = make()
    began = begin(threads, commit, disk, ["a", "b", "c"])
    assert not any(one.done() for one in began)
    disk.gate.set()
    for one in began:
        one.result(20)
    assert disk.groups == [["first"], ["a", "b", "c"]]


def test_each_of_a_group_hears_that_it_failed_and_the_next_goes_on(
    make: Make, disk: Disk, threads: ThreadPoolExecutor
) -> None:
    commit = make()
    began = begin(threads, commit, disk, ["a", "b"])
    disk.error = OSError("the disk is gone")
    disk.gate.set()
    for one in began:
        with pytest.raises(OSError, match="gone"):
            one.result(20)
    disk.error = None
    commit.store([sighting("later")])
    assert disk.groups == [["later"]]


def test_too_many_are_turned_away_at_once(
    make: Make, disk: Disk, threads: ThreadPoolExecutor
) -> None:
    commit = make(max_waiting=2)
    began = begin(threads, commit, disk, ["a", "b"])
    with pytest.raises(NotTaken, match="2 digests wait"):
        commit.store([sighting("c")])
    disk.gate.set()
    for one in began:
        one.result(20)
    commit.store([sighting("c")])
    assert disk.groups == [["first"], ["a", "b"], ["c"]]


def test_one_that_waits_too_long_is_not_stored_afterwards(
    make: Make, disk: Disk, threads: ThreadPoolExecutor
) -> None:
    commit = make(timeout_s=0.3)
    first, second = begin(threads, commit, disk, ["second"])
    with pytest.raises(StoreUnsure):
        first.result(20)
    with pytest.raises(NotTaken, match="has not come"):
        second.result(20)
    with pytest.raises(NotTaken, match="does not answer"):
        commit.store([sighting("third")])
    disk.gate.set()
    eventually(lambda: disk.groups == [["first"]])
    commit._timeout_s = 20.0
    commit.store([sighting("fourth")])
    assert disk.groups == [["first"], ["fourth"]]


def test_what_waits_is_stored_before_the_end(
    make: Make, disk: Disk, threads: ThreadPoolExecutor
) -> None:
    commit = make()
    began = begin(threads, commit, disk, ["a"])
    disk.gate.set()
    commit.stop()
    assert disk.groups == [["first"], ["a"]]
    for one in began:
        one.result(20)


SIGHTINGS = st.lists(
    st.builds(
        Sighting,
        st.sampled_from(["md5", "sha256"]),
        st.binary(max_size=1),
        st.integers(0, 9),
        st.none() | st.sampled_from("ab"),
    )
)


@given(sightings=SIGHTINGS)
def test_sums_are_of_each_digest_once_in_the_order_of_their_keys(
    sightings: list[Sighting],
) -> None:
    sums = summed(sightings)
    keys = [(one.algorithm, one.digest) for one in sums]
    assert keys == sorted({(one.algorithm, one.digest) for one in sightings})
    for one in sums:
        same = [
            seen
            for seen in sightings
            if (seen.algorithm, seen.digest) == (one.algorithm, one.digest)
        ]
        labels = [seen.label for seen in same if seen.label is not None]
        assert (one.count, one.size_bytes) == (len(same), same[0].size_bytes)
        assert one.label == (labels[-1] if labels else None)
