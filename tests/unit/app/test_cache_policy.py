"""What requests say about the cache, and what it says about itself."""

import pytest

from app.cache.policy import CachePolicy, policy_of
from app.cache.status import CacheStatus


@pytest.mark.parametrize(
    ("max_staleness_s", "header", "policy"),
    [
        (None, "", CachePolicy()),
        (5.0, "", CachePolicy(5.0)),
        (0.0, "", CachePolicy(0.0)),
        (None, "max-age=7", CachePolicy(7.0)),
        (5.0, "Max-Age=7", CachePolicy(5.0)),
        (9.0, 'max-age="7"', CachePolicy(7.0)),
        (9.0, "no-cache", CachePolicy(0.0)),
        (None, "no-store, max-age=7", CachePolicy(0.0, may_store=False)),
        (None, "only-if-cached", CachePolicy(only_if_cached=True)),
        (None, "max-age=-1, max-age, unknown=3, ,", CachePolicy()),
    ],
)
def test_the_stricter_word_counts(
    max_staleness_s: float | None, header: str, policy: CachePolicy
) -> None:
    assert policy_of(max_staleness_s, header) == policy


@pytest.mark.parametrize(
    ("status", "header"),
    [
        (CacheStatus("hit", ttl_s=21.9), "millrace; hit; ttl=21"),
        (CacheStatus("miss", stored=True, ttl_s=30), "millrace; fwd=miss; stored; ttl=30"),
        (CacheStatus("collapsed"), "millrace; fwd=miss; collapsed"),
        (CacheStatus("refresh", stored=True), "millrace; fwd=request; stored"),
        (CacheStatus("stale", "away", ttl_s=-4.5), 'millrace; hit; ttl=-4; detail="away"'),
        (CacheStatus("bypass", 'a "ö"\n\\'), 'millrace; fwd=bypass; detail="a \\"?\\"?\\\\"'),
    ],
)
def test_the_status_is_one_field_that_cannot_be_broken(status: CacheStatus, header: str) -> None:
    assert status.header() == header
