"""Bodies of the hash calls."""

import base64
import binascii
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from app.models import RequestModel, ResponseModel
from app.problem_types import VALIDATION_FAILED
from app.problems import FieldError, Problem
from app.validation import choose
from hashing.registry import REGISTRY

Encoding = Literal["utf8", "base64", "hex"]


def _known(name: str) -> str:
    if name not in REGISTRY:
        remedy = choose(name, list(REGISTRY))
        context = {"name": name, "remedy": remedy}
        raise PydanticCustomError("unknown_algorithm", "Unknown algorithm '{name}'", context)
    return name


AlgorithmName = Annotated[
    str, AfterValidator(_known), WithJsonSchema({"type": "string", "enum": list(REGISTRY)})
]


class HashRequest(RequestModel):
    """A value to hash."""

    algorithm: AlgorithmName = Field(default="sha256", description="Which algorithm.")
    data: str = Field(description="The value, written as `encoding` says.")
    encoding: Encoding = Field(
        default="utf8",
        description="`utf8`: the text's own bytes; `base64` (RFC 4648, section 4, padded) or "
        "`hex`: the bytes that the text stands for.",
    )

    def input_bytes(self) -> bytes:
        """Return the bytes to hash.  Raises Problem when `data` isn't in its encoding."""
        try:
            if self.encoding == "base64":
                return base64.b64decode(self.data, validate=True)
            if self.encoding == "hex":
                return binascii.unhexlify(self.data)
            return self.data.encode()
        except ValueError as error:
            reason = f"This is not valid {self.encoding}: {error}."
            remedy = (
                "Use the alphabet A-Z a-z 0-9 + / with = padding, without line breaks."
                if self.encoding == "base64"
                else "Use an even number of the digits 0-9 a-f A-F, nothing between them."
            )
            raise Problem(
                VALIDATION_FAILED,
                f"/data: {reason} {remedy}",
                errors=[FieldError("/data", reason, remedy)],
            ) from error


class HashResponse(ResponseModel):
    """A digest."""

    algorithm: str = Field(description="The algorithm's name.")
    digest: str = Field(description="The digest, in lower-case hex.")
    digest_bits: int = Field(description="Size of the digest in bits.")
    size_bytes: int = Field(description="Size of the hashed value in bytes, once decoded.")


class AlgorithmDocument(ResponseModel):
    """An algorithm that can be asked for."""

    name: str = Field(description="What to send as `algorithm`.")
    digest_bits: int = Field(description="Size of the digest in bits.")
    cryptographic: bool = Field(description="Made to resist people who look for collisions.")
    legacy: bool = Field(description="Broken since; only for checking what already exists.")
    source: str = Field(description="The document that defines it.")


class AlgorithmsResponse(ResponseModel):
    """All algorithms."""

    algorithms: list[AlgorithmDocument]
