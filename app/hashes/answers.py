"""What a hash request is answered with, written straight as JSON.

Every text in it is a name of ours or a digest, which need no escapes: writing them so costs a
third of what building and dumping a model does, on the call that is made most.
"""

from app.models_hash import HashRequest
from hashing.digester import Digester
from hashing.options import construction
from hashing.text import encode


def hash_answer(body: HashRequest, digester: Digester) -> str:
    """Return the members of a HashResponse, without braces.  Raises Problem, HashingError."""
    data = body.input_bytes()
    options = body.options()
    digest = digester.digest(body.algorithm, data, options)
    kind = construction(digester.algorithm(body.algorithm), options)
    return (
        f'"algorithm":"{body.algorithm}","construction":"{kind}",'
        f'"digest":"{encode(digest, body.output)}","digest_bits":{8 * len(digest)},'
        f'"size_bytes":{len(data)}'
    )
