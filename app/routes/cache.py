"""The cache, for operators."""

from app.cache.store import StoreUnavailable
from app.endpoints import Endpoints
from app.models_cache import CacheResponse, InvalidationRequest, InvalidationResponse
from app.problem_types import DATABASE_UNAVAILABLE
from app.services import services
from db.errors import DatabaseUnavailable

endpoints = Endpoints("cache", lane="status")
RETRY_AFTER_S = 1.0


@endpoints.endpoint("GET", "/v1/cache", response=CacheResponse)
def show_cache() -> CacheResponse:
    """Show what the cache holds, and what it was good for."""
    cache = services().cache
    settings, count = cache.settings, cache.metrics.count
    mode = cache.stores.mode if settings.cache_ttl_s else "off"
    size = cache.stores.size()
    in_database = mode == "database"
    return CacheResponse(
        mode=mode,
        entries=size.entries,
        bytes=size.bytes,
        max_bytes=settings.cache_database_max_bytes if in_database else settings.cache_max_bytes,
        ttl_s=settings.cache_ttl_s,
        hits=count("hit"),
        misses=count("miss") + count("refresh"),
        collapsed=count("collapsed"),
        stale=count("stale"),
        bypassed=count("bypass"),
    )


@endpoints.endpoint(
    "POST", "/v1/cache/invalidate", request=InvalidationRequest, response=InvalidationResponse,
    problems=[DATABASE_UNAVAILABLE], example={"tables": ["numbers"]},
)  # fmt: skip
def invalidate(body: InvalidationRequest) -> InvalidationResponse:
    """Forget answers from some tables, or all.

    No answer that was computed before this call is given after it, not even one that is being
    computed now. The hottest queries are then computed anew in the background.
    """
    cache = services().cache
    tables = None if body.tables is None else tuple(body.tables)
    try:
        told = cache.stores.invalidate(tables)
    except StoreUnavailable as error:
        raise DatabaseUnavailable(
            f"The answers kept in PostgreSQL are not invalidated; send it again. {error}",
            RETRY_AFTER_S,
        ) from error
    cache.background.warm()
    return InvalidationResponse(redis=told, database=True)
