"""Hashing of single values; it needs PostgreSQL only to store a digest, and Redis never."""

from flask import Response

from app.bodies import json_response
from app.digests.errors import StoreUnsure
from app.endpoints import Endpoints
from app.hashes.answers import hash_answer
from app.models_hash import (
    AlgorithmDocument,
    AlgorithmsResponse,
    DeriveRequest,
    DeriveResponse,
    HashRequest,
    HashResponse,
    SizesDocument,
    VerifyRequest,
    VerifyResponse,
)
from app.problem_types import (
    ALGORITHM_OUT_OF_SERVICE,
    DATABASE_BUSY,
    DATABASE_READ_ONLY,
    DATABASE_UNAVAILABLE,
    DIGEST_STORE_BUSY,
    DIGEST_STORE_UNSURE,
)
from app.repeated_request import is_repeated
from app.services import services
from hashing.options import construction
from hashing.registry import REGISTRY, Sizes
from hashing.text import encode

endpoints = Endpoints("hashing", lane="hash")
PROBLEMS = (ALGORITHM_OUT_OF_SERVICE,)
STORE_PROBLEMS = (
    DATABASE_UNAVAILABLE,
    DATABASE_BUSY,
    DATABASE_READ_ONLY,
    DIGEST_STORE_BUSY,
    DIGEST_STORE_UNSURE,
)


@endpoints.endpoint(
    "POST",
    "/v1/hash",
    request=HashRequest,
    response=HashResponse,
    problems=(*PROBLEMS, *STORE_PROBLEMS),
    example={"algorithm": "sha256", "data": "hello"},
)
def hash_value(body: HashRequest) -> Response:
    """Hash one value.

    With `store` the digest is remembered, and the answer comes once it is durable.
    """
    now = services()
    members, sighting = hash_answer(body, now.hashing.digester)
    if sighting is not None:
        if is_repeated():
            raise StoreUnsure("A replica that did not answer may have stored it.")
        now.digests.commit.store([sighting])
    return json_response(f"{{{members}}}".encode())


@endpoints.endpoint(
    "POST",
    "/v1/hash/verify",
    request=VerifyRequest,
    response=VerifyResponse,
    problems=PROBLEMS,
    example={
        "algorithm": "crc32c",
        "data": "123456789",
        "digest": "e3069283",
    },
)
def verify_digest(body: VerifyRequest) -> VerifyResponse:
    """Check a value against its digest.

    The time that this takes does not tell where the two differ.
    """
    digester = services().hashing.digester
    options = body.options()
    valid = digester.verify(body.algorithm, body.input_bytes(), body.expected_bytes(), options)
    kind = construction(digester.algorithm(body.algorithm), options)
    return VerifyResponse(algorithm=body.algorithm, construction=kind, valid=valid)


@endpoints.endpoint(
    "POST",
    "/v1/hash/derive",
    request=DeriveRequest,
    response=DeriveResponse,
    problems=PROBLEMS,
    example={"function": "hkdf", "key": "a long random key", "info": "session", "length": 16},
)
def derive_key(body: DeriveRequest) -> DeriveResponse:
    """Derive a key from a key (HKDF) or from a password (PBKDF2).

    The work of PBKDF2 is bounded: iterations times blocks of output, by
    `MILLRACE_HASH_MAX_PBKDF2_ROUNDS`.
    """
    derivation = services().hashing.derivation
    key, salt, info = body.material()
    if body.function == "hkdf":
        body.refuse_iterations()
        derived = derivation.hkdf(body.algorithm, key, salt, info, body.length)
    else:
        derived = derivation.pbkdf2(body.algorithm, key, salt, body.rounds(), body.length)
    return DeriveResponse(
        function=body.function, algorithm=body.algorithm, derived=encode(derived, body.output)
    )


@endpoints.endpoint("GET", "/v1/hash/algorithms", response=AlgorithmsResponse)
def list_algorithms() -> AlgorithmsResponse:
    """List the algorithms."""
    failures = services().hashing.digester.failures
    return AlgorithmsResponse(
        algorithms=[
            AlgorithmDocument(
                name=known.name,
                digest_bits=known.digest_bits,
                cryptographic=known.cryptographic,
                legacy=known.legacy,
                length=_sizes(known.length),
                key=_sizes(known.key),
                hmac=known.hmac,
                salt_bytes=known.salt_bytes,
                person_bytes=known.person_bytes,
                context=known.context,
                seed=known.seed,
                source=known.source,
                out_of_service=failures.get(known.name),
            )
            for known in REGISTRY.values()
        ]
    )


def _sizes(sizes: Sizes | None) -> SizesDocument | None:
    return None if sizes is None else SizesDocument(least=sizes.least, most=sizes.most)
