"""Hashing of values: needs neither PostgreSQL nor Redis."""

from app.endpoints import Endpoints
from app.models_hash import AlgorithmDocument, AlgorithmsResponse, HashRequest, HashResponse
from hashing.digest import digest
from hashing.registry import REGISTRY, algorithm

endpoints = Endpoints("hashing")


@endpoints.endpoint(
    "POST",
    "/v1/hash",
    request=HashRequest,
    response=HashResponse,
    example={"algorithm": "sha256", "data": "hello"},
)
def hash_value(body: HashRequest) -> HashResponse:
    """Hash one value."""
    data = body.input_bytes()
    return HashResponse(
        algorithm=body.algorithm,
        digest=digest(body.algorithm, data).hex(),
        digest_bits=algorithm(body.algorithm).digest_bits,
        size_bytes=len(data),
    )


@endpoints.endpoint("GET", "/v1/hash/algorithms", response=AlgorithmsResponse)
def list_algorithms() -> AlgorithmsResponse:
    """List the algorithms."""
    return AlgorithmsResponse(
        algorithms=[
            AlgorithmDocument(
                name=known.name,
                digest_bits=known.digest_bits,
                cryptographic=known.cryptographic,
                legacy=known.legacy,
                source=known.source,
            )
            for known in REGISTRY.values()
        ]
    )
