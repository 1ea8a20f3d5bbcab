"""What the balancer counts.  Plain integers: a request costs a fraction of a microsecond."""

from bisect import bisect_left

# seconds; from a cached answer to the longest query
BUCKETS = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 75.0,
)  # fmt: skip


class Counters:
    """Counts since the start, and gauges.

    `own_answers[n]`: answers of class n00 that no backend gave; `own_answers[0]`: requests whose
    client went away before a backend was engaged.  `duration_counts[i]`: requests no longer than
    BUCKETS[i] and longer than the one before; the last: longer than all.
    """

    __slots__ = (
        "active", "connections_refused", "duration_counts", "duration_sum_s", "own_answers",
        "proxy_protocol_refused", "retries",
    )  # fmt: skip

    def __init__(self) -> None:
        self.active = 0
        self.own_answers = [0] * 10
        self.retries = {"connect": 0, "closed": 0, "silent": 0, "overloaded": 0}
        self.connections_refused = 0
        self.proxy_protocol_refused = {"untrusted": 0, "malformed": 0, "late": 0}
        self.duration_counts = [0] * (len(BUCKETS) + 1)
        self.duration_sum_s = 0.0

    def observe(self, seconds: float) -> None:
        """Count a request's duration."""
        self.duration_counts[bisect_left(BUCKETS, seconds)] += 1
        self.duration_sum_s += seconds
