"""Answers, computed once and given again."""

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from app.cache.entries import etag_of, packed, unpacked
from app.cache.errors import NothingCached
from app.cache.flights import Flight, Flights, Landing
from app.cache.keeping import Keeping
from app.cache.metrics import CacheMetrics
from app.cache.policy import CachePolicy
from app.cache.request_key import RequestKey, RequestKeys
from app.cache.settings import CacheSettings
from app.cache.status import CachedAnswer, CacheStatus, Origin
from app.cache.store import Entry, Found, Store, StoreUnavailable
from app.cache.stores import Stores
from app.queries.control import Control
from app.queries.errors import Cancelled, DeadlinePassed
from app.queries.replicas import ReplicaAnswer, ReplicaQueries
from app.queries.request import QueryInput, Timings
from app.queries.service import QueryService
from db.errors import DatabaseUnavailable
from telemetry.spans import span

FIRST_POLL_S = 0.01
LONGEST_POLL_S = 0.1
WORTH_BOTH_STORES_S = 0.1
AGEING_SHARE = 0.8
AGEING_HITS = 2


@dataclass(frozen=True)
class Lookup:
    """What the cache holds for a query: `age_s` None for nothing; `reason` says why nothing can."""

    cacheable: bool
    reason: str
    age_s: float | None


class Answers:
    """Gives answers from the cache, or has them computed once for all who ask at the same time.

    Within the process by a Flight; across processes its leader holds a lease in the store.  Safe
    for use by many threads.
    """

    def __init__(
        self,
        queries: QueryService,
        keys: RequestKeys,
        stores: Stores,
        keeping: Keeping,
        settings: CacheSettings,
        metrics: CacheMetrics,
        *,
        most_waiting: int,
        replicas: ReplicaQueries | None = None,
        on_ageing: Callable[[QueryInput], None] = lambda _query: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queries = queries
        self._keys = keys
        self._stores = stores
        self._keeping = keeping
        self._settings = settings
        self._metrics = metrics
        self._flights = Flights(most_waiting, monotonic)
        self._replicas = replicas
        self._on_ageing = on_ageing
        self._monotonic = monotonic

    def answer(self, query: QueryInput, policy: CachePolicy, control: Control) -> CachedAnswer:
        """Answer `query`.

        Raises what QueryService.run does, NothingCached where the policy forbids to compute it,
        and CheckoutTimeout where too many wait for it already.
        """
        if policy.only_if_cached:
            found = self.cached(query, policy)
            if found is None:
                raise NothingCached
            return found
        began = self._monotonic()
        found = self._answer_within(query, policy, control)
        self._metrics.answered(found.status.origin)
        if found.status.origin not in ("hit", "collapsed", "stale"):
            return found
        # where the time of this request went, and not of the one that it was computed for
        timings = Timings(total=(self._monotonic() - began) * 1000)
        return replace(found, answer=replace(found.answer, timings=timings))

    def cached(self, query: QueryInput, policy: CachePolicy) -> CachedAnswer | None:
        """Return the answer if it is there already, else None; nothing is computed."""
        given = self._found(query, policy)
        if given is not None:
            self._metrics.answered("hit")
        return given

    def lookup(self, query: QueryInput) -> Lookup:
        """Tell what the cache holds for `query`, which is not counted as asked for.

        Raises QueryError and db.errors.
        """
        if self._settings.cache_ttl_s == 0:
            return Lookup(False, "the cache is off", None)
        key = self._keys.find(query)
        if key.tables is None:
            return Lookup(False, key.reason, None)
        found, _ = self._enter(replace(key, request=""), self._settings.cache_ttl_s, "")
        age_s = found.age_s if found is not None and found.what == "hit" else None
        return Lookup(True, "", age_s)

    def refresh(self, query: QueryInput, control: Control, *, younger_than_s: float) -> bool:
        """Compute the answer unless one younger than this is there, or is being computed.

        Raises what QueryService.run does.
        """
        key = self._keys.find(query)
        if key.tables is None:
            return False
        # Not a flight that others could board: while this runs, the old answer is theirs at once.
        # The store's lease alone keeps everybody else from computing the same.
        token = secrets.token_hex(8)
        found, store = self._enter(replace(key, request=""), younger_than_s, token)
        if found is None or store is None or found.what != "lead":
            return False
        with self._keeping.lease(store, key.key, token):
            self._compute(query, key, control, began=_begun(found, store))
        self._metrics.refreshed()
        return True

    def _found(self, query: QueryInput, policy: CachePolicy) -> CachedAnswer | None:
        if self._settings.cache_ttl_s == 0 or not policy.may_look:
            return None
        key = self._keys.known(query)
        if key is None or key.tables is None:
            return None
        found, store = self._enter(key, self._oldest_s(policy), "")
        if found is None or store is None:
            return None
        return self._given(query, key, found, store)

    def _answer_within(
        self, query: QueryInput, policy: CachePolicy, control: Control
    ) -> CachedAnswer:
        """Answer, by a replica where the request says how old the answer may be.

        What a replica says is not kept, and not shared with those who wait for the same: they may
        have heard of an invalidation that it has not.
        """
        if self._replicas is None or policy.max_age_s == 0:
            return self._answer(query, policy, control)
        if policy.max_age_s is not None:
            found = self._found(query, policy)
            if found is not None:
                return found
            answered = self._replicas.answer(query, control, policy.max_age_s)
            return self._answer(query, policy, control) if answered is None else _of(answered)
        try:
            return self._answer(query, policy, control)
        except DatabaseUnavailable:
            answered = self._replicas.answer(query, control, self._settings.cache_stale_s)
            if answered is None:
                raise
            return _of(answered, stale=answered.age_s > self._settings.cache_ttl_s)

    def _answer(self, query: QueryInput, policy: CachePolicy, control: Control) -> CachedAnswer:
        if self._settings.cache_ttl_s == 0:
            return self._alone(query, control, CacheStatus("bypass", "the cache is off"))
        key = self._keys.find(query)
        if key.tables is None:
            return self._alone(query, control, CacheStatus("bypass", key.reason))
        if not policy.may_store:
            return self._alone(query, control, CacheStatus("bypass", "the request asks for it"))
        if not policy.may_look:
            found, store = self._enter(replace(key, request=""), 0.0, "")
            began = _begun(found, store) if found and store else None
            return self._told(self._compute(query, key, control, began=began), "refresh")
        while True:
            flight, leads = self._flights.board(key.key)
            if leads:
                return self._lead(query, key, policy, control, flight)
            asked_at = self._monotonic()
            with span("cache.wait"):
                landing = self._flights.wait(flight, control)
            if landing.what == "alone":
                status = CacheStatus("miss", "who computed it before met an error")
                return self._alone(query, control, status)
            if landing.what == "stale" and policy.max_age_s is None:
                return self._told(landing, "stale")
            if landing.what == "shared" and asked_at - landing.computed_at <= self._oldest_s(
                policy
            ):
                return self._told(landing, "collapsed")

    def _lead(
        self, query: QueryInput, key: RequestKey, policy: CachePolicy, control: Control,
        flight: Flight,
    ) -> CachedAnswer:  # fmt: skip
        """Find the answer for all of this process who wait for it."""
        landing = Landing("again")
        try:
            token = secrets.token_hex(8)
            pause_s = FIRST_POLL_S
            while True:
                found, store = self._enter(key, self._oldest_s(policy), token)
                if found is None or store is None:
                    landing = self._compute(query, key, control, began=None)
                    return self._told(landing, "miss")
                given = self._given(query, key, found, store)
                if given is not None:
                    landing = Landing("shared", given.answer, given.etag, found.computed_at, True)
                    return given
                if found.what != "wait":
                    with self._keeping.lease(store, key.key, token):
                        landing = self._compute_or_stale(query, key, control, policy, found, store)
                    return self._told(landing, "stale" if landing.what == "stale" else "miss")
                key = replace(key, request="")  # it has been counted
                self._pause(control, pause_s)
                pause_s = min(LONGEST_POLL_S, pause_s * 1.5)
        except (Cancelled, DeadlinePassed):
            raise  # this request's own end, and not the others'
        except Exception:
            landing = Landing("alone")
            raise
        finally:
            self._flights.land(key.key, flight, landing)

    def _pause(self, control: Control, pause_s: float) -> None:
        event = threading.Event()
        with span("cache.wait"), control.cancelling(event.set):
            event.wait(min(pause_s, control.remaining_s()))
        control.remaining_s()

    def _compute_or_stale(
        self, query: QueryInput, key: RequestKey, control: Control, policy: CachePolicy,
        found: Found, store: Store,
    ) -> Landing:  # fmt: skip
        try:
            return self._compute(query, key, control, began=_begun(found, store))
        except DatabaseUnavailable:
            unpacked_value = unpacked(found.value) if found.value is not None else None
            age_s = self._monotonic() - found.computed_at  # with what was waited for PostgreSQL
            is_allowed = policy.max_age_s is None and age_s <= self._settings.cache_stale_s
            if unpacked_value is None or not is_allowed:
                raise
            answer, etag = unpacked_value
            reason = f"PostgreSQL is away; this is from {age_s:.0f} s ago"
            answer = replace(answer, reason=reason)
            return Landing("stale", answer, etag, found.computed_at, True)

    def _compute(
        self, query: QueryInput, key: RequestKey, control: Control, *, began: str | None
    ) -> Landing:
        """Compute the answer and keep it, if it may be kept."""
        began_at = self._monotonic()
        answer = self._queries.run(query, control)
        cost_s = self._monotonic() - began_at
        etag = etag_of(answer)
        value = packed(answer, etag)
        # where bytes decide what is left out, another place to cut would be as right
        is_whole = not answer.truncated or len(answer.rows) == query.max_rows
        if not is_whole or len(value) > self._settings.cache_max_answer_bytes:
            return Landing("shared", answer, etag, began_at, False)
        entry = Entry(
            key.key, value, key.tables or (), began_at, cost_s, answer.snapshot, began, key.request,
            self._keeping.text_of(query),
        )  # fmt: skip
        stored = self._put(entry)
        if stored and cost_s >= WORTH_BOTH_STORES_S and self._stores.mode == "redis":
            self._keeping.write_behind(entry)
        if stored is False:  # invalidated meanwhile: right for this request, too old for others
            return Landing("again", answer, etag, began_at, False)
        return Landing("shared", answer, etag, began_at, bool(stored))

    def _put(self, entry: Entry) -> bool | None:
        """Keep it in the store in use; None if none works, False if it may not be kept."""
        while (store := self._stores.current) is not None:
            if store.name == "redis" and entry.began is None:
                return None  # it began while Redis was away: what was invalidated is not known
            try:
                with span("cache.store", {"millrace.store": store.name}):
                    return store.put(entry)
            except StoreUnavailable as error:
                self._stores.failed(store, error)
        return None

    def _enter(
        self, key: RequestKey, oldest_s: float, token: str
    ) -> tuple[Found, Store] | tuple[None, None]:
        while (store := self._stores.current) is not None:
            try:
                asked_at = self._monotonic()
                with span("cache.lookup", {"millrace.store": store.name}) as looking:
                    found = store.enter(
                        key.key, oldest_s=oldest_s, token=token, request=key.request
                    )
                    looking.set({"millrace.found": found.what})
                return replace(found, computed_at=asked_at - found.age_s), store
            except StoreUnavailable as error:
                self._stores.failed(store, error)
        return None, None

    def _given(
        self, query: QueryInput, key: RequestKey, found: Found, store: Store
    ) -> CachedAnswer | None:
        """Return what was found if it is a hit."""
        if found.what != "hit" or found.value is None:
            return None
        contents = unpacked(found.value)
        if contents is None:
            return None
        answer, etag = contents
        ttl_s = self._settings.cache_ttl_s
        if store.name == "redis" and found.hits == AGEING_HITS:
            entry = Entry(
                key.key, found.value, key.tables or (), found.computed_at, found.cost_s,
                answer.snapshot, None,
            )  # fmt: skip
            self._keeping.write_behind(entry)
        if found.age_s > AGEING_SHARE * ttl_s and found.hits >= AGEING_HITS:
            self._on_ageing(query)
        status = CacheStatus("hit", ttl_s=ttl_s - found.age_s)
        return CachedAnswer(answer, status, found.age_s, False, etag)

    def _told(self, landing: Landing, origin: Origin) -> CachedAnswer:
        """Return the answer that a computation brought."""
        assert landing.answer is not None  # noqa: S101 - for the type checker
        age_s = 0.0
        if origin in ("collapsed", "stale"):
            age_s = max(0.0, self._monotonic() - landing.computed_at)
        ttl_s = self._settings.cache_ttl_s - age_s if landing.stored else None
        stored = landing.stored and origin in ("miss", "refresh")
        reason = landing.answer.reason if origin == "stale" else ""
        status = CacheStatus(origin, reason, stored, ttl_s)
        return CachedAnswer(landing.answer, status, age_s, origin == "stale", landing.etag)

    def _alone(self, query: QueryInput, control: Control, status: CacheStatus) -> CachedAnswer:
        answer = self._queries.run(query, control)
        return CachedAnswer(answer, status, 0.0, False, etag_of(answer))

    def _oldest_s(self, policy: CachePolicy) -> float:
        return self._settings.cache_ttl_s if policy.max_age_s is None else policy.max_age_s


def _of(answered: ReplicaAnswer, *, stale: bool = False) -> CachedAnswer:
    status = CacheStatus("bypass", answered.answer.reason)
    return CachedAnswer(answered.answer, status, answered.age_s, stale, etag_of(answered.answer))


def _begun(found: Found, store: Store) -> str | None:
    return found.began if store.name == "redis" else None
