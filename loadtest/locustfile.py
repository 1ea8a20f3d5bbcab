"""A mix of requests as users send them, for Locust: docs/production.md.

Each user asks, thinks for a moment, and asks again; weights are about how often each is done.  An
answer counts as failed unless it is right: digests are computed here too, and sums are known.
"""

import hashlib
import json
import random
import time

from locust import HttpUser, between, task
from locust.clients import ResponseContextManager

BATCH = 200
JOB_PATIENCE_S = 60.0


def check(response: ResponseContextManager, right: bool) -> None:
    """Count an answer as good, or as failed with what it says."""
    if response.status_code >= 400:
        response.failure(f"{response.status_code} {response.text[:200]}")
    elif right:
        response.success()
    else:
        response.failure(f"a wrong answer: {response.text[:200]}")


def rows_of(response: ResponseContextManager) -> object:
    """Return an answer's rows; None where it has none."""
    try:
        return response.json().get("rows")
    except ValueError:
        return None


class Analyst(HttpUser):
    """Asks questions: some again and again, so that the cache answers, some new, some costly."""

    weight = 3
    wait_time = between(0.1, 1.0)

    def _ask(self, name: str, sql: str, params: list[int], rows: list[list[object]]) -> None:
        body = {"sql": sql, "params": params}
        with self.client.post("/v1/query", json=body, name=name, catch_response=True) as response:
            check(response, rows_of(response) == rows)

    @task(6)
    def ask_again(self) -> None:
        """A question that many ask."""
        n = 1000 * random.randint(1, 10)
        sql = "SELECT count(*), sum(i) FROM generate_series(1, $1::bigint) AS i"
        self._ask("query, often asked", sql, [n], [[n, n * (n + 1) // 2]])

    @task(3)
    def ask_anew(self) -> None:
        """A question that nobody has asked before."""
        low = random.randint(1, 10**9)
        sql = "SELECT count(*), min(i) FROM generate_series($1::bigint, $2::bigint) AS i"
        self._ask("query, new", sql, [low, low + 999], [[1000, low]])

    @task(2)
    def ask_the_demo_table(self) -> None:
        """A costly question, which is split over the workers; its groups' counts are known."""
        low = random.randint(1, 90_000)
        sql = (
            "SELECT count(*) FROM numbers a JOIN numbers b ON b.id BETWEEN a.id AND a.id + 2 "
            "WHERE a.id BETWEEN $1 AND $2"
        )
        self._ask("query, split", sql, [low, low + 999], [[3000]])


class Hasher(HttpUser):
    """Hashes values, one at a time and in batches, and passwords now and then."""

    weight = 2
    wait_time = between(0.1, 1.0)

    @task(8)
    def hash_one(self) -> None:
        """One value."""
        data = f"value {random.random()}"
        body = {"algorithm": "sha256", "data": data}
        with self.client.post("/v1/hash", json=body, name="hash", catch_response=True) as response:
            check(response, hashlib.sha256(data.encode()).hexdigest() in (response.text or ""))

    @task(2)
    def hash_many(self) -> None:
        """A batch."""
        values = [f"item {random.random()}" for _ in range(BATCH)]
        body = "".join(json.dumps({"data": value}) + "\n" for value in values)
        with self.client.post(
            "/v1/hash/batch", data=body, name="hash, batch", catch_response=True,
            headers={"Content-Type": "application/x-ndjson"},
        ) as response:  # fmt: skip
            text = response.text or ""
            digests = (hashlib.sha256(value.encode()).hexdigest() for value in values)
            check(response, all(digest in text for digest in digests))

    @task(1)
    def hash_a_password(self) -> None:
        """What a sign-up does: made to be slow, on a worker."""
        body = {"password": f"correct horse {random.random()}"}
        with self.client.post(
            "/v1/passwords/hash", json=body, name="password", catch_response=True
        ) as response:
            check(response, "$" in (response.text or ""))


class Clerk(HttpUser):
    """Submits durable jobs, and waits for them."""

    weight = 1
    wait_time = between(2.0, 5.0)

    @task
    def hash_rows(self) -> None:
        """Hash the rows of a small query as a job."""
        low = random.randint(1, 90_000)
        sql = f"SELECT id, n FROM numbers WHERE id BETWEEN {low} AND {low + 199}"
        spec = {"kind": "hash_query", "parameters": {"sql": sql}}
        with self.client.post("/v1/jobs", json=spec, name="job", catch_response=True) as response:
            check(response, response.status_code == 202)
            location = response.headers.get("Location") if response.status_code == 202 else None
        end = time.monotonic() + JOB_PATIENCE_S
        while location and time.monotonic() < end:
            time.sleep(0.5)
            with self.client.get(location, name="job, state", catch_response=True) as response:
                check(response, True)
                state = response.json().get("state") if response.status_code == 200 else None
            if state in {"done", "failed", "cancelled"}:
                return
