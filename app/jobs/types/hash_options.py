"""What jobs that hash rows take of an algorithm; keys by name alone."""

import base64
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from app.jobs.job_type import wrong_parameter
from app.models import RequestModel
from app.models_hash import AlgorithmName
from hashing.errors import OptionRefused, TextRefused
from hashing.options import Options, construction
from hashing.registry import REGISTRY
from hashing.text import Encoding, Output, decode
from jobs.hash_keys import fingerprint

NO_SUCH_KEY = (
    "MILLRACE_HASH_KEYS has no key of this name. A key itself is not taken: the parameters of jobs "
    "are stored."
)


class HashOptions(RequestModel):
    """The part of the parameters that says how each row is hashed."""

    algorithm: AlgorithmName = Field(default="sha256", description="Which algorithm.")
    output: Output = Field(
        default="hex", description="How digests are written; `base64url` is without padding."
    )
    key: str | None = Field(
        default=None,
        description="Name of a secret key in `MILLRACE_HASH_KEYS`, for the algorithm's own keyed "
        "mode or, without one, HMAC.",
    )
    hmac: bool = Field(default=False, description="With `key`: HMAC, though there is a keyed mode.")
    length: int | None = Field(
        default=None, description="Bytes of digest, where the algorithm lets it be chosen."
    )
    salt: str | None = Field(default=None, description="BLAKE2: salt.")
    person: str | None = Field(default=None, description="BLAKE2: personalisation.")
    salt_encoding: Encoding = Field(
        default="utf8", description="How `salt` and `person` are written."
    )
    context: str | None = Field(
        default=None, description="BLAKE3: derive a key in this context, with the row as material."
    )
    seed: int | None = Field(default=None, description="xxHash3: 64-bit seed; no secret.")

    def kept_hash(self, keys: Mapping[str, bytes]) -> dict[str, Any]:
        """Return what the ledger keeps of it.  Raises Problem, OptionRefused."""
        key = None
        if self.key is not None:
            key = keys.get(self.key)
            if key is None:
                names = ", ".join(sorted(keys)) or "there are none"
                raise wrong_parameter("key", NO_SUCH_KEY, f"Send one of these names: {names}.")
        salt, person = self._decoded("salt", self.salt), self._decoded("person", self.person)
        options = Options(self.length, key, self.hmac, salt, person, self.context, self.seed)
        construction(REGISTRY[self.algorithm], options)
        return {
            "algorithm": self.algorithm,
            "output": self.output,
            "key": self.key,
            "key_fingerprint": None if key is None else fingerprint(key),
            "hmac": self.hmac,
            "length": self.length,
            "salt": _base64(salt),
            "person": _base64(person),
            "context": self.context,
            "seed": self.seed,
        }

    def _decoded(self, field: Literal["salt", "person"], text: str | None) -> bytes | None:
        try:
            return None if text is None else decode(text, self.salt_encoding)
        except TextRefused as error:
            raise OptionRefused(field, error.reason, error.remedy) from error


def shown_hash(kept: Mapping[str, Any]) -> dict[str, Any]:
    """Return the kept parameters without what tells of the key."""
    told = {name: value for name, value in kept["hash"].items() if name != "key_fingerprint"}
    return {**kept, "hash": told}


def _base64(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()
