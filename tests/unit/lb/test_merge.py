"""One status document out of several."""

from lb.admin.merge import counts, merge


def test_counts_are_added_and_what_nobody_knows_stays_unknown() -> None:
    assert merge([{"a": 1, "b": {"c": 2}}, {"a": 3, "b": {"c": 4}, "d": 5}]) == {
        "a": 4, "b": {"c": 6}, "d": 5,
    }  # fmt: skip
    assert merge([{"reason": None}, {"reason": None}]) == {"reason": None}
    assert merge([]) is None


def test_backends_are_joined_by_their_id() -> None:
    documents = [
        {"backends": [{"id": "a", "active": 1}, {"id": "b", "active": 2}]},
        {"backends": [{"id": "b", "active": 3}]},
    ]
    assert merge(documents) == {"backends": [{"id": "a", "active": 1}, {"id": "b", "active": 5}]}


def test_words_go_by_the_most_and_a_weight_is_not_a_count() -> None:
    documents = [{"state": state, "weight": 2} for state in ("ready", "ejected", "ejected")]
    assert merge(documents) == {"state": "ejected", "weight": 2}
    assert merge([{"panicking": False}, {"panicking": False}]) == {"panicking": False}


def test_latencies_are_averaged_over_those_who_know_one() -> None:
    documents = [{"latency_ms": 1.0}, {"latency_ms": None}, {"latency_ms": 2.0}]
    assert merge(documents) == {"latency_ms": 1.5}


def test_the_last_check_is_the_latest_of_all() -> None:
    assert merge([{"last_check": "2026-01-02"}, {"last_check": "2026-01-01"}]) == {
        "last_check": "2026-01-02"
    }


def test_of_a_draining_process_only_the_counts_are_taken() -> None:
    old = {"strategy": "round_robin", "backends": [{"id": "a", "state": "ejected", "active": 2}]}
    new = {"strategy": "power_of_two", "backends": [{"id": "a", "state": "ready", "active": 1}]}
    assert merge([new, counts(old), counts(old)]) == {
        "strategy": "power_of_two", "backends": [{"id": "a", "state": "ready", "active": 5}],
    }  # fmt: skip
