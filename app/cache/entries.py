"""An answer with its validator, as the stores keep it."""

import hashlib
import json

from app.queries.answer_codec import decode, encode
from app.queries.request import Answer

DIGEST_BYTES = 16


def etag_of(answer: Answer) -> str:
    """Return a digest (BLAKE2b, 32 hex digits) of what was asked for: columns, types and rows.

    How it was computed, and when, is not in it.
    """
    columns = [(column.oid, column.typmod, column.name) for column in answer.columns]
    content = json.dumps([columns, answer.types, answer.rows, answer.truncated])
    return hashlib.blake2b(content.encode(), digest_size=DIGEST_BYTES).hexdigest()


def packed(answer: Answer, etag: str) -> bytes:
    """Return both as bytes."""
    return bytes.fromhex(etag) + encode(answer)


def unpacked(data: bytes) -> tuple[Answer, str] | None:
    """Read what `packed` wrote; None for what another version of ours may have written."""
    try:
        return decode(data[DIGEST_BYTES:]), data[:DIGEST_BYTES].hex()
    except ValueError:
        return None
