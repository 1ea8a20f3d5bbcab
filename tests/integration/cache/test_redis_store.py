"""The store in Redis: bounded, and no danger to the queue."""

import json
import time
from collections.abc import Iterator

import pytest
import redis

from app.cache.redis_store import ENTRY, PREFIX, SIZES, RedisStore
from app.cache.settings import CacheSettings
from app.cache.store import Entry
from tests.integration.cache.replicas import eventually

LIMIT = 100_000


class Shelf:
    """A store, the client beside it, and what was evicted."""

    def __init__(self, client: redis.Redis, **settings: float) -> None:
        self.client = client
        self.evicted = 0
        chosen = CacheSettings(**{"cache_max_bytes": LIMIT, **settings})  # type: ignore[arg-type]
        self.store = RedisStore(client, chosen, self._count)

    def _count(self, evicted: int) -> None:
        self.evicted += evicted

    def put(self, key: str, size: int = 1000, began: str | None = None, age_s: float = 0.0) -> bool:
        """Keep an answer of that size, by default one that begins now."""
        sequence = began or self.store.enter(key, oldest_s=0.0).began
        computed_at = time.monotonic() - age_s
        entry = Entry(
            key, b"x" * size, ("t",), computed_at, 0.1, "1:1:", sequence, key, json.dumps(key)
        )
        return self.store.put(entry)

    def holds(self, key: str) -> bool:
        """Tell whether it is there; as someone who asks."""
        return self.store.enter(key, oldest_s=1000.0, request=key).what == "hit"


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url, protocol=2) as client:
        yield client


@pytest.fixture
def shelf(client: redis.Redis) -> Shelf:
    return Shelf(client)


def test_bytes_stay_below_the_limit_and_what_is_used_stays(shelf: Shelf) -> None:
    shelf.client.set("millrace:queue", "kept")
    began = time.monotonic()
    assert shelf.put("used")
    for number in range(300):
        last = shelf.client.time()
        eventually(lambda then=last: shelf.client.time() > then)  # type: ignore[misc]
        assert shelf.put(f"k{number}")
        if number % 10 == 0:
            # the clock of last use counts milliseconds
            eventually(lambda: time.monotonic() - began > 0.001)
            assert shelf.holds("used")
        assert shelf.store.size().bytes <= LIMIT
    assert shelf.evicted > 200
    assert shelf.holds("used")
    assert shelf.holds("k299")
    assert not shelf.holds("k0")
    assert shelf.client.get("millrace:queue") == b"kept"
    total = sum(int(size) for name, size in shelf.client.hgetall(SIZES).items() if name)
    assert total == shelf.store.size().bytes
    assert len(shelf.client.keys(f"{ENTRY}*")) == shelf.store.size().entries


def test_an_answer_that_waited_to_be_kept_is_as_old_as_that(shelf: Shelf) -> None:
    began = shelf.store.enter("a", oldest_s=0.0).began
    since = time.monotonic()
    eventually(lambda: time.monotonic() - since > 0.2)
    # as if Redis had been stopped since it was sent: no time has passed by who sent it
    assert shelf.put("a", began=began)
    assert shelf.store.enter("a", oldest_s=1000.0).age_s >= 0.19


def test_every_key_of_ours_expires(shelf: Shelf) -> None:
    shelf.put("a")
    shelf.holds("a")
    shelf.store.enter("b", oldest_s=1.0, token="me", request="b")
    shelf.store.invalidate(("t",))
    shelf.store.hottest(5)
    shelf.store.claim("warming", 10)
    keys = shelf.client.keys("*")
    assert sorted(keys) == sorted(shelf.client.keys(f"{PREFIX}*"))
    assert len(keys) >= 8
    assert all(shelf.client.ttl(key) >= 0 for key in keys), keys


def test_an_entry_that_expired_takes_no_room(client: redis.Redis) -> None:
    shelf = Shelf(client, cache_stale_s=0.2, cache_ttl_s=0.1)
    shelf.put("a")
    eventually(lambda: not client.exists(f"{ENTRY}a"))
    assert not shelf.holds("a")
    assert (shelf.store.size().entries, shelf.store.size().bytes) == (0, 0)
    shelf.put("b")
    kept = time.monotonic()
    eventually(lambda: not client.exists(f"{ENTRY}b"))
    # the account lets it go a lifetime after it was kept, the entry one after it was asked for
    eventually(lambda: time.monotonic() - kept > 0.25)
    shelf.put("c")
    assert shelf.store.size().entries == 1


def test_an_older_answer_does_not_replace_a_newer_one(shelf: Shelf) -> None:
    assert shelf.put("a", age_s=1.0)
    assert not shelf.put("a", age_s=5.0)
    assert shelf.put("a", age_s=0.0)


def test_losing_what_was_invalidated_makes_everything_void(shelf: Shelf) -> None:
    began = shelf.store.enter("a", oldest_s=1.0).began
    shelf.put("a")
    assert shelf.holds("a")
    shelf.client.delete(f"{PREFIX}invalidated")
    assert not shelf.put("b", began=began)
    assert not shelf.holds("a")
    assert shelf.put("a")
    assert shelf.holds("a")


def test_a_lease_is_for_one_until_it_is_given_back_or_lapses(client: redis.Redis) -> None:
    store = Shelf(client, cache_lease_s=60.0).store
    assert store.enter("k", oldest_s=1.0, token="a").what == "lead"
    assert store.enter("k", oldest_s=1.0, token="b").what == "wait"
    store.release("k", "b")  # not its own
    assert store.enter("k", oldest_s=1.0, token="b").what == "wait"
    store.release("k", "a")
    assert store.enter("k", oldest_s=1.0, token="b").what == "lead"
    assert store.enter("k", oldest_s=1.0, token="c").what == "wait"
    brief = Shelf(client, cache_lease_s=0.2).store
    assert brief.enter("l", oldest_s=1.0, token="a").what == "lead"
    eventually(lambda: brief.enter("l", oldest_s=1.0, token="b").what == "lead")


def test_the_hottest_requests_are_known_and_bounded(client: redis.Redis) -> None:
    shelf = Shelf(client, cache_warm_queries=2)
    for number in range(50):
        shelf.put(f"k{number}")
        for _ in range(5 if number in (3, 7) else 1):
            shelf.holds(f"k{number}")
    assert sorted(shelf.store.hottest(2)) == ['"k3"', '"k7"']
    assert client.hlen(f"{PREFIX}requests") <= 20
