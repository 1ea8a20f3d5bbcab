"""`Content-Digest` and `Repr-Digest` (RFC 9530), written as structured fields (RFC 8941)."""

import base64
import hmac
import re
from collections.abc import Iterable, Mapping

from app.problem_types import BAD_REQUEST, DIGEST_MISMATCH
from app.problems import Problem

FIELDS = ("Content-Digest", "Repr-Digest")
# the two that RFC 9530 calls active; a recipient ignores those that it does not know, and the
# deprecated ones detect no intent
ALGORITHMS: Mapping[str, str] = {"sha-256": "sha256", "sha-512": "sha512"}

_MEMBER = re.compile(
    r"[ \t]*([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/=]*):((?:;[^,;]*)*)[ \t]*(?:,(?=[ \t]*[a-z*])|$)"
)


def read(field: str, text: str) -> dict[str, bytes]:
    """Return the digests of a field by RFC 9530's names, known ones only.

    The last of equal names counts, as in any dictionary field.  Raises Problem (400).
    """
    found: dict[str, bytes] = {}
    position = 0
    while position < len(text):
        member = _MEMBER.match(text, position)
        if member is None:
            raise _malformed(field)
        if member[1] in ALGORITHMS:
            try:
                found[member[1]] = base64.b64decode(member[2], validate=True)
            except ValueError as error:
                raise _malformed(field) from error
        position = member.end()
    return found


def write(digests: Mapping[str, bytes]) -> str:
    """Return a field's value; `digests` by RFC 9530's names."""
    return ", ".join(
        f"{name}=:{base64.b64encode(digest).decode()}:" for name, digest in digests.items()
    )


def check(
    announced: Iterable[tuple[str, str, bytes]], digests: Mapping[str, bytes]
) -> list[tuple[str, str]]:
    """Compare (field, name, digest) with `digests` by our names; return what was checked.

    Raises Problem (400), naming the field and both digests.
    """
    checked = []
    for field, name, expected in announced:
        computed = digests[ALGORITHMS[name]]
        if not hmac.compare_digest(computed, expected):
            raise Problem(
                DIGEST_MISMATCH,
                f"The body that arrived is not the one that {field} was computed of ({name}). "
                "Send it again.",
                extra={"field": field, "computed": write({name: computed})},
            )
        checked.append((field, name))
    return checked


def _malformed(field: str) -> Problem:
    return Problem(
        BAD_REQUEST,
        f"The header {field} is malformed. Write it as RFC 9530 does: sha-256=:BASE64:.",
    )
