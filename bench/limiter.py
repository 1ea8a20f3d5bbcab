"""The rate limiter's decisions beside those of `limits` in memory: cost, memory, error.

    python bench/limiter.py [--clients 100000] [--decisions 200000]

Cost is measured in alternating rounds; ours answers with what is left and when, for which `limits`
needs a second call (get_window_stats), so both are shown.  Memory is what a process of its own
grows by, with 3 requests of each client held.  Error is over bursty arrivals of simulated time,
against a list that forgets nothing.
"""

import argparse
import multiprocessing
import random
import time
from collections.abc import Callable
from statistics import median

import limits
import psutil
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter, SlidingWindowCounterRateLimiter

from lb.limiter.window import Algorithm, make_window

AMOUNT, WINDOW_S = 100, 60
ITEM = limits.RateLimitItemPerMinute(AMOUNT)
ROUNDS = 5
BUSY = [f"10.0.{i >> 8}.{i & 255}" for i in range(1000)]
REQUESTS_EACH = 3

# (client, now) -> allowed
Decide = Callable[[str, float], bool]


def window(algorithm: Algorithm) -> Decide:
    made = make_window(algorithm, AMOUNT, WINDOW_S, max_clients=10_000_000, now=0.0)
    return lambda client, now: made.take(client, now, AMOUNT)[0] >= 0


def moving_window() -> Decide:
    limiter = MovingWindowRateLimiter(MemoryStorage())
    return lambda client, _: limiter.hit(ITEM, client)


def moving_window_with_stats() -> Decide:
    limiter = MovingWindowRateLimiter(MemoryStorage())

    def decide(client: str, _: float) -> bool:
        allowed = limiter.hit(ITEM, client)
        limiter.get_window_stats(ITEM, client)
        return allowed

    return decide


def sliding_counter() -> Decide:
    limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
    return lambda client, _: limiter.hit(ITEM, client)


def sliding_counter_with_stats() -> Decide:
    limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    def decide(client: str, _: float) -> bool:
        allowed = limiter.hit(ITEM, client)
        limiter.get_window_stats(ITEM, client)
        return allowed

    return decide


OURS: dict[str, Callable[[], Decide]] = {
    "ours, log": lambda: window("log"),
    "ours, counter": lambda: window("counter"),
}
THEIRS: dict[str, Callable[[], Decide]] = {
    "limits, MovingWindow": moving_window,
    "limits, MovingWindow + stats": moving_window_with_stats,
    "limits, SlidingWindowCounter": sliding_counter,
    "limits, SlidingWindowCounter + stats": sliding_counter_with_stats,
}


def cost_us(decide: Decide, decisions: int) -> float:
    """Return the CPU time of a decision: a thousand clients, of which most are over the limit."""
    now = time.monotonic()
    began = time.process_time()
    for number in range(decisions):
        decide(BUSY[number % len(BUSY)], now + number * 1e-5)
    return 1e6 * (time.process_time() - began) / decisions


def grown_bytes(name: str, clients: int, answer: "multiprocessing.Queue[float]") -> None:
    """Put on the queue how much a client takes in this process."""
    decide = (OURS | THEIRS)[name]()
    keys = [f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}" for i in range(clients)]
    before = psutil.Process().memory_info().rss
    now = time.monotonic()
    for _ in range(REQUESTS_EACH):
        for key in keys:
            decide(key, now)
    answer.put((psutil.Process().memory_info().rss - before) / clients)


def bytes_a_client(name: str, clients: int) -> float:
    context = multiprocessing.get_context("spawn")
    answer: multiprocessing.Queue[float] = context.Queue()
    process = context.Process(target=grown_bytes, args=(name, clients, answer))
    process.start()
    taken = answer.get()
    process.join()
    return taken


def arrivals(chance: random.Random) -> list[float]:
    """Return ten windows of one client's requests: bursts of up to twice the limit, then rest."""
    times, now = [], 0.0
    while now < 10 * WINDOW_S:
        for _ in range(chance.randrange(1, 2 * AMOUNT)):
            now += chance.expovariate(50.0)
            times.append(now)
        now += chance.uniform(0.0, WINDOW_S)
    return times


def errors(variant: Callable[[], Decide], clients: int = 100) -> tuple[float, float, int]:
    """Return % wrongly allowed, % wrongly refused, and the most that passed in any window.

    The exact log decides on the requests that the variant itself let through, so that one error
    is not counted again for each of its consequences.
    """
    chance = random.Random(1)
    total = allowed_wrongly = refused_wrongly = most = 0
    for number in range(clients):
        decide = variant()
        passed: list[float] = []
        for now in arrivals(chance):
            total += 1
            passed = [then for then in passed if then >= now - WINDOW_S]
            exact = len(passed) < AMOUNT
            allowed = decide(str(number), now)
            allowed_wrongly += allowed and not exact
            refused_wrongly += exact and not allowed
            if allowed:
                passed.append(now)
            most = max(most, len(passed))
    return 100 * allowed_wrongly / total, 100 * refused_wrongly / total, most


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clients", type=int, default=100_000, help="for the memory; 100000")
    parser.add_argument("--decisions", type=int, default=100_000, help="of each round; 100000")
    options = parser.parse_args()
    variants = {name: make() for name, make in (OURS | THEIRS).items()}
    costs: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(ROUNDS):
        for name, decide in variants.items():
            costs[name].append(cost_us(decide, options.decisions))
    print(f"{'':38} {'µs a decision':>13} {'bytes a client':>15}")
    for name, taken in costs.items():
        print(f"{name:38} {median(taken):>13.2f} {bytes_a_client(name, options.clients):>15,.0f}")
    print(f"\n{'error under bursts':38} {'passed wrongly %':>17} {'refused wrongly %':>18} "
          f"{'most in a window':>17}")  # fmt: skip
    for name, variant in OURS.items():
        over, under, most = errors(variant)
        print(f"{name:38} {over:>17.3f} {under:>18.3f} {most:>11} of {AMOUNT}")


if __name__ == "__main__":
    main()
