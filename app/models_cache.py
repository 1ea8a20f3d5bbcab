"""Bodies of the cache's calls."""

from typing import Annotated, Literal

from pydantic import Field

from app.models import RequestModel, ResponseModel


class InvalidationRequest(RequestModel):
    """What is invalidated."""

    tables: list[Annotated[str, Field(min_length=1, max_length=63)]] | None = Field(
        max_length=1000,
        description="Names of tables in the exposed schema, as they are stored (lower case unless "
        "they were quoted); null: all. A table goes with its parents and children.",
    )


class InvalidationResponse(ResponseModel):
    """What happened."""

    redis: bool = Field(
        description="False while Redis is away: it is told as soon as a replica reaches it, and "
        "before that replica reads from it."
    )
    database: bool = Field(description="True: answers kept in PostgreSQL are invalidated, too.")


class CacheResponse(ResponseModel):
    """The cache, as this process sees it."""

    mode: Literal["redis", "database", "off"] = Field(
        description="The store in use: PostgreSQL's while Redis is away; off while neither works, "
        "or by MILLRACE_CACHE_TTL_S=0."
    )
    entries: int = Field(description="Answers in that store, which all replicas share.")
    bytes: int = Field(description="Their size.")
    max_bytes: int = Field(description="Most bytes that the store may hold; the oldest ones go.")
    ttl_s: float = Field(description="How long an answer is given again.")
    hits: int = Field(description="Answers of this process from the cache.")
    misses: int = Field(description="Answers of this process that had to be computed.")
    collapsed: int = Field(description="Answers shared with others who asked at the same time.")
    stale: int = Field(description="Answers given while PostgreSQL was away.")
    bypassed: int = Field(description="Answers that may not be kept, or were not to be.")
