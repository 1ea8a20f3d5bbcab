"""Stored digests: what is known of them."""

from app.endpoints import Endpoints, PathParameter
from app.models_hash import StoredDigestResponse
from app.problem_types import (
    DATABASE_BUSY,
    DATABASE_UNAVAILABLE,
    DIGEST_UNKNOWN,
    VALIDATION_FAILED,
)
from app.problems import Problem
from app.services import services
from app.validation import choose
from hashing.errors import TextRefused
from hashing.registry import REGISTRY
from hashing.text import Output, read_digest

endpoints = Endpoints("hashing", lane="hash")


@endpoints.endpoint(
    "GET",
    "/v1/digests/{algorithm}/{digest}",
    response=StoredDigestResponse,
    parameters=(
        PathParameter("algorithm", r"[^/]{1,100}", "The algorithm's name."),
        PathParameter(
            "digest", r"[^/]{1,1000}", "The digest, in hex or in base64url without padding."
        ),
    ),
    problems=(DIGEST_UNKNOWN, VALIDATION_FAILED, DATABASE_UNAVAILABLE, DATABASE_BUSY),
)
def find_digest(algorithm: str, digest: str) -> StoredDigestResponse:
    """Tell when and how often a digest was stored.

    Only what was hashed with `store` is known.
    """
    data = _read(algorithm, digest)
    found = services().digests.store.find(algorithm, data)
    if found is None:
        raise Problem(DIGEST_UNKNOWN, f"No {algorithm} digest {data.hex()} was ever stored.")
    return StoredDigestResponse(algorithm=algorithm, digest=data.hex(), **vars(found))


def _read(algorithm: str, digest: str) -> bytes:
    """Return the digest's bytes.  Raises Problem."""
    known = REGISTRY.get(algorithm)
    if known is None:
        raise Problem(
            VALIDATION_FAILED,
            f"The address names an unknown algorithm '{algorithm}'. "
            f"{choose(algorithm, list(REGISTRY))}",
        )
    # the length tells which it is: many a hex text is valid base64url too
    output: Output = "hex" if len(digest) == 2 * known.digest_bytes else "base64url"
    try:
        data = read_digest(digest, output)
    except TextRefused:
        data = b""
    if len(data) != known.digest_bytes:
        raise Problem(
            VALIDATION_FAILED,
            f"The address names no digest of {algorithm}. Send its {known.digest_bytes} bytes as "
            f"{2 * known.digest_bytes} digits of hex, or as base64url.",
        )
    return data
