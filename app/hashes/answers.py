"""What a hash request is answered with, written straight as JSON.

Every text in it is a name of ours or a digest, which need no escapes: writing them so costs a
third of what building and dumping a model does, on the call that is made most.
"""

from typing import NamedTuple

from app.digests.sighting import Sighting
from app.models_hash import HashRequest
from hashing.digester import Digester
from hashing.options import construction
from hashing.text import encode


class HashAnswer(NamedTuple):
    """The members of a HashResponse, without braces, and what must be stored before it is sent."""

    members: str
    sighting: Sighting | None


def hash_answer(body: HashRequest, digester: Digester) -> HashAnswer:
    """Return the answer to `body`.  Raises Problem, HashingError."""
    data = body.input_bytes()
    options = body.options()
    digest = digester.digest(body.algorithm, data, options)
    kind = construction(digester.algorithm(body.algorithm), options)
    sighting = body.sighting(digest, len(data))
    stored = "" if sighting is None else ',"stored":true'
    return HashAnswer(
        f'"algorithm":"{body.algorithm}","construction":"{kind}",'
        f'"digest":"{encode(digest, body.output)}","digest_bits":{8 * len(digest)},'
        f'"size_bytes":{len(data)}{stored}',
        sighting,
    )
