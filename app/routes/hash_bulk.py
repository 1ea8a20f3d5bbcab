"""Hashing of much: batches of values, and bodies of any size."""

import hashlib
from typing import get_args

from flask import Response, g, request
from pydantic_core import PydanticCustomError

from app.bodies import json_response
from app.digests.sighting import Sighting
from app.endpoints import Endpoints, QueryParameter
from app.hashes import digest_fields, items
from app.hashes.batch import ARRAY, NDJSON, Batch
from app.models_hash import (
    MOST_LABEL_CHARACTERS,
    BatchItem,
    CheckedDigest,
    HashRequest,
    StreamDigest,
    StreamResponse,
    storable_label,
)
from app.problem_types import (
    ALGORITHM_OUT_OF_SERVICE,
    BAD_REQUEST,
    BODY_TOO_LARGE,
    DIGEST_MISMATCH,
    MALFORMED_JSON,
    TOO_MANY_BODIES,
    UNSUPPORTED_MEDIA_TYPE,
    VALIDATION_FAILED,
)
from app.problems import Problem
from app.raw_body import pieces
from app.routes.hash import STORE_PROBLEMS
from app.services import services
from app.validation import choose
from app.waiting_client import client_socket
from hashing.registry import REGISTRY
from hashing.text import Output, encode

endpoints = Endpoints("hashing", lane="bulk")
OUTPUTS: tuple[str, ...] = get_args(Output)
_BATCH_TYPES = ("application/x-ndjson", "application/jsonl", "application/json")


@endpoints.endpoint(
    "POST",
    "/v1/hash/batch",
    response=BatchItem,
    reads={NDJSON.media_type: HashRequest},
    problems=(MALFORMED_JSON, BODY_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, VALIDATION_FAILED,
              ALGORITHM_OUT_OF_SERVICE, TOO_MANY_BODIES),
)  # fmt: skip
def hash_batch() -> Response:
    """Hash many values.

    The body is NDJSON, a request of `/v1/hash` a line, or with `application/json` an array of
    them; the answer has the same form, an answer for each item, in order, and is sent while the
    items still come. An item that fails has a `problem`, and the others go on. What ends the batch
    early is the last answer: more than `MILLRACE_HASH_BATCH_MAX_ITEMS` items, one of more than
    `MILLRACE_HASH_BATCH_ITEM_MAX_BYTES`, an array that isn't one, a body that is cut off. Items
    with `store` are stored in groups, and answered once they are durable.
    """
    if request.mimetype not in _BATCH_TYPES:
        raise Problem(
            UNSUPPORTED_MEDIA_TYPE,
            f"Send one of these as Content-Type: {', '.join(_BATCH_TYPES)}.",
            headers={"Accept-Post": ", ".join(_BATCH_TYPES)},
        )
    settings = services().hashing.settings
    form = ARRAY if request.mimetype == ARRAY.media_type else NDJSON
    cut = items.elements if form is ARRAY else items.lines
    batch = Batch(
        services().hashing.digester,
        form,
        settings.hash_batch_max_items,
        settings.hash_batch_item_max_bytes,
        g.request_id,
        services().digests.commit.store,
    )
    found = cut(pieces(0, ""), settings.hash_batch_item_max_bytes)
    return Response(batch.answer(found, client_socket()), content_type=form.media_type)


@endpoints.endpoint(
    "POST",
    "/v1/hash/stream",
    response=StreamResponse,
    reads={"application/octet-stream": None},
    query=(
        QueryParameter(
            "algorithm", "Which algorithms, all in one pass; `sha256` when there is none.",
            tuple(REGISTRY), repeated=True,
        ),
        QueryParameter("output", "How digests are written; `hex` when it is left out.", OUTPUTS),
        QueryParameter("store", "Remember the digests; `false` when it is left out.",
                       ("true", "false")),
        QueryParameter("label", "With `store=true`: what to remember them by.", ()),
    ),
    problems=(BAD_REQUEST, BODY_TOO_LARGE, DIGEST_MISMATCH, VALIDATION_FAILED,
              ALGORITHM_OUT_OF_SERVICE, *STORE_PROBLEMS, TOO_MANY_BODIES),
)  # fmt: skip
def hash_stream() -> Response:
    """Hash a body of any size, in constant memory.

    `Content-Digest` and `Repr-Digest` (RFC 9530; `sha-256`, `sha-512`) are checked when they come
    with the body. `MILLRACE_HASH_STREAM_MAX_BYTES` bounds it. The answer's own `Content-Digest` is
    of the answer; that of the body is its `content_digest`.
    """
    names = _algorithms()
    output = _output()
    store, label = _storing()
    announced = [
        (field, name, digest)
        for field in digest_fields.FIELDS
        for name, digest in digest_fields.read(field, request.headers.get(field, "")).items()
    ]
    needed = [digest_fields.ALGORITHMS[name] for _, name, _ in announced]
    several = services().hashing.digester.several(list(dict.fromkeys([*names, *needed])))
    limit = services().hashing.settings.hash_stream_max_bytes
    for piece in pieces(limit, "MILLRACE_HASH_STREAM_MAX_BYTES"):
        several.update(piece)
    digests = several.digests()
    checked = digest_fields.check(announced, digests)
    if store:
        services().digests.commit.store(
            [Sighting(name, digests[name], several.size_bytes, label) for name in names]
        )
    standard = {
        name: digests[ours] for name, ours in digest_fields.ALGORITHMS.items() if ours in digests
    }
    response = json_response(
        StreamResponse(
            size_bytes=several.size_bytes,
            digests=[
                StreamDigest(
                    algorithm=name,
                    digest=encode(digests[name], output),
                    digest_bits=8 * len(digests[name]),
                )
                for name in names
            ],
            checked=[CheckedDigest(field=field, algorithm=name) for field, name in checked],
            content_digest=digest_fields.write(standard) or None,
            stored=store or None,
        )
    )
    own = hashlib.sha256(response.get_data()).digest()
    response.headers["Content-Digest"] = digest_fields.write({"sha-256": own})
    return response


def _algorithms() -> list[str]:
    names = list(dict.fromkeys(request.args.getlist("algorithm"))) or ["sha256"]
    for name in names:
        if name not in REGISTRY:
            raise Problem(
                VALIDATION_FAILED,
                f"The URL's parameter algorithm: unknown algorithm '{name}'. "
                f"{choose(name, list(REGISTRY))}",
            )
    return names


def _output() -> Output:
    given = request.args.get("output", "hex")
    for output in get_args(Output):
        if output == given:
            return output  # type: ignore[no-any-return]
    raise Problem(
        VALIDATION_FAILED,
        f"The URL's parameter output is none of {', '.join(OUTPUTS)}. Send one of these.",
    )


def _storing() -> tuple[bool, str | None]:
    """Return whether the digests are to be stored, and their label."""
    given, label = request.args.get("store", "false"), request.args.get("label")
    if given not in ("true", "false"):
        raise _parameter_refused("store", "is neither true nor false. Send one of these.")
    if label is None:
        return given == "true", None
    if given == "false":
        raise _parameter_refused("label", "is of digests that are stored. Add store=true.")
    if len(label) > MOST_LABEL_CHARACTERS:
        most = f"at most {MOST_LABEL_CHARACTERS} characters"
        raise _parameter_refused("label", f"is too long. Send {most}.")
    try:
        return True, storable_label(label)
    except PydanticCustomError as error:
        raise _parameter_refused("label", f"cannot be stored. {error.message()}.") from error


def _parameter_refused(name: str, detail: str) -> Problem:
    return Problem(VALIDATION_FAILED, f"The URL's parameter {name} {detail}")
