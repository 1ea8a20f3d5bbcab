"""Bodies of the hash calls."""

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from app.digests.sighting import Sighting
from app.models import ProblemDocument, RequestModel, ResponseModel
from app.problem_types import VALIDATION_FAILED
from app.problems import FieldError, Problem
from app.validation import choose
from hashing.errors import RowRefused, TextRefused
from hashing.options import PLAIN, Construction, Options
from hashing.registry import REGISTRY
from hashing.rows import encode_row
from hashing.text import Encoding, Output, decode, read_digest

_OPTIONS = frozenset({"length", "key", "hmac", "salt", "person", "context", "seed"})
_STORING = frozenset({"store", "label"})
MOST_LABEL_CHARACTERS = 200


def _known(name: str) -> str:
    if name not in REGISTRY:
        remedy = choose(name, list(REGISTRY))
        context = {"name": name, "remedy": remedy}
        raise PydanticCustomError("unknown_algorithm", "Unknown algorithm '{name}'", context)
    return name


AlgorithmName = Annotated[
    str, AfterValidator(_known), WithJsonSchema({"type": "string", "enum": list(REGISTRY)})
]


def storable_label(label: str) -> str:
    """Return a label that PostgreSQL can hold.  Raises PydanticCustomError."""
    if any(char == "\0" or "\ud800" <= char <= "\udfff" for char in label):
        context = {"remedy": "Leave such characters out."}
        reason = "A label holds no zero character and no half of a surrogate pair"
        raise PydanticCustomError("label_characters", reason, context)
    return label


Label = Annotated[str, Field(max_length=MOST_LABEL_CHARACTERS), AfterValidator(storable_label)]


def _refused(place: str, reason: str, remedy: str) -> Problem:
    detail = f"{place}: {reason} {remedy}"
    return Problem(VALIDATION_FAILED, detail, errors=[FieldError(place, reason, remedy)])


def _decoded(field: str, text: str, encoding: Encoding) -> bytes:
    try:
        return decode(text, encoding)
    except TextRefused as error:
        raise _refused(f"/{field}", error.reason, error.remedy) from error


class ValueRequest(RequestModel):
    """A value, or a row of values, and how to hash it."""

    algorithm: AlgorithmName = Field(default="sha256", description="Which algorithm.")
    data: str | None = Field(default=None, description="The value, written as `encoding` says.")
    row: list[bool | int | float | str | None] | None = Field(
        default=None,
        description="Instead of `data`: values that are hashed in their canonical row encoding, "
        "so that `['ab', 'c']` and `['a', 'bc']` differ, and null and `''` too.",
    )
    encoding: Encoding = Field(
        default="utf8",
        description="`utf8`: the text's own bytes; `base64` (RFC 4648, section 4, padded) or "
        "`hex`: the bytes that the text stands for.",
    )
    output: Output = Field(
        default="hex", description="How digests are written; `base64url` is without padding."
    )
    length: int | None = Field(
        default=None, description="Bytes of digest, where the algorithm lets it be chosen."
    )
    key: str | None = Field(
        default=None,
        description="Secret key, for the algorithm's own keyed mode or, without one, HMAC.",
    )
    key_encoding: Encoding = Field(
        default="utf8", description="How `key`, `salt` and `person` are written."
    )
    hmac: bool = Field(default=False, description="With `key`: HMAC, though there is a keyed mode.")
    salt: str | None = Field(default=None, description="BLAKE2: salt.")
    person: str | None = Field(default=None, description="BLAKE2: personalisation.")
    context: str | None = Field(
        default=None, description="BLAKE3: derive a key in this context, with `data` as material."
    )
    seed: int | None = Field(default=None, description="xxHash3: 64-bit seed; no secret.")

    def input_bytes(self) -> bytes:
        """Return the bytes to hash.  Raises Problem when they can't be told."""
        if self.data is not None and self.row is None:
            return _decoded("data", self.data, self.encoding)
        if self.row is None:
            raise _refused("/data", "Field required.", "Add this field, or row.")
        if self.data is not None:
            raise _refused("/row", "data and row exclude each other.", "Send one of them.")
        try:
            return encode_row(self.row)
        except RowRefused as error:
            remedy = "Send it as a string of whole characters."
            raise _refused(f"/row/{error.column}", error.reason, remedy) from error

    def options(self) -> Options:
        """Return what is asked for besides the plain digest.  Raises Problem."""
        if self.model_fields_set.isdisjoint(_OPTIONS):
            return PLAIN
        key, salt, person = (
            None if text is None else _decoded(field, text, self.key_encoding)
            for field, text in (("key", self.key), ("salt", self.salt), ("person", self.person))
        )
        return Options(
            length=self.length,
            key=key,
            hmac=self.hmac,
            salt=salt,
            person=person,
            context=self.context,
            seed=self.seed,
        )


class HashRequest(ValueRequest):
    """A value, or a row of values, to hash."""

    store: bool = Field(
        default=False,
        description="Remember the digest, never the value: when and how often it was seen. Only "
        "for plain digests, without key, salt, seed, context or another length.",
    )
    label: Label | None = Field(
        default=None, description="With `store`: what to remember it by; the latest one is kept."
    )

    def sighting(self, digest: bytes, size_bytes: int) -> Sighting | None:
        """Return what is to be stored, None for nothing.  Raises Problem when it can't be.

        A stored digest is looked up by its algorithm's name alone, so that must say how it was
        made.  Besides, equal keyed digests, stored, would tell who can read them which values are
        equal.
        """
        if self.model_fields_set.isdisjoint(_STORING):
            return None
        if not self.store:
            if self.label is not None:
                remedy = "Leave it out, or send store: true."
                raise _refused("/label", "A label is of a digest that is stored.", remedy)
            return None
        options = self.options()
        if options.length == REGISTRY[self.algorithm].digest_bytes:
            options = replace(options, length=None)
        if options != PLAIN:
            given = sorted(self.model_fields_set & _OPTIONS)
            reason = (
                f"A digest made with {' and '.join(given)} cannot be stored: the algorithm alone "
                "does not say how it was made, and those who look it up know nothing else."
            )
            raise _refused("/store", reason, f"Leave out store, or {' and '.join(given)}.")
        return Sighting(self.algorithm, digest, size_bytes, self.label)


class HashResponse(ResponseModel):
    """A digest."""

    algorithm: str = Field(description="The algorithm's name.")
    construction: Construction = Field(description="How the algorithm was used.")
    digest: str = Field(description="The digest, written as `output` says: lower-case hex.")
    digest_bits: int = Field(description="Size of the digest in bits.")
    size_bytes: int = Field(description="Size of the hashed value in bytes, once decoded.")
    stored: bool | None = Field(
        default=None, description="With `store`: true, it is remembered, durably."
    )


class BatchItem(HashResponse):
    """One line, or array element, of a batch's answer; an item that failed has `problem` alone."""

    index: int = Field(description="Which item this answers, counted from 0.")
    problem: ProblemDocument | None = Field(
        default=None, description="Instead of the other members: why the item has no digest."
    )


class VerifyRequest(ValueRequest):
    """A value and the digest that it is said to have."""

    digest: str = Field(description="The expected digest, written as `output` says.")

    def expected_bytes(self) -> bytes:
        """Return the expected digest.  Raises Problem."""
        try:
            return read_digest(self.digest, self.output)
        except TextRefused as error:
            raise _refused("/digest", error.reason, error.remedy) from error


class VerifyResponse(ResponseModel):
    """Whether the digest is the value's."""

    algorithm: str = Field(description="The algorithm's name.")
    construction: Construction = Field(description="How the algorithm was used.")
    valid: bool = Field(description="True when the digest is the value's.")


class DeriveRequest(RequestModel):
    """A key, or password, to derive another key from."""

    function: Literal["hkdf", "pbkdf2"] = Field(
        description="`hkdf` (RFC 5869) for keys; `pbkdf2` (RFC 8018) for passwords."
    )
    algorithm: AlgorithmName = Field(default="sha256", description="A hash that HMAC is built on.")
    key: str = Field(description="The key or password, written as `encoding` says.")
    salt: str = Field(default="", description="Salt, written as `encoding` says.")
    info: str = Field(default="", description="HKDF: what the key is for; as `encoding` says.")
    iterations: int | None = Field(default=None, description="PBKDF2: iterations.")
    length: int = Field(default=32, description="Bytes to derive.")
    encoding: Encoding = Field(default="utf8", description="How `key`, `salt`, `info` are written.")
    output: Output = Field(default="hex", description="How the derived key is written.")

    def material(self) -> tuple[bytes, bytes, bytes]:
        """Return key, salt and info.  Raises Problem."""
        return (
            _decoded("key", self.key, self.encoding),
            _decoded("salt", self.salt, self.encoding),
            _decoded("info", self.info, self.encoding),
        )

    def rounds(self) -> int:
        """Return the iterations of PBKDF2.  Raises Problem when they, or `info`, do not fit."""
        if self.info:
            raise _refused("/info", "PBKDF2 takes no info.", "Leave it out.")
        if self.iterations is None:
            raise _refused("/iterations", "PBKDF2 needs iterations.", "Add this field.")
        return self.iterations

    def refuse_iterations(self) -> None:
        """Raise Problem when there are iterations: HKDF has none."""
        if self.iterations is not None:
            raise _refused("/iterations", "HKDF takes no iterations.", "Leave it out.")


class DeriveResponse(ResponseModel):
    """A derived key."""

    function: str = Field(description="The function's name.")
    algorithm: str = Field(description="The hash's name.")
    derived: str = Field(description="The key, written as `output` says.")


class StreamDigest(ResponseModel):
    """A digest of the body."""

    algorithm: str = Field(description="The algorithm's name.")
    digest: str = Field(description="The digest, written as `output` says: lower-case hex.")
    digest_bits: int = Field(description="Size of the digest in bits.")


class CheckedDigest(ResponseModel):
    """A digest that came with the body and is right."""

    field: str = Field(description="The header: Content-Digest or Repr-Digest.")
    algorithm: str = Field(description="RFC 9530's name of the algorithm.")


class StreamResponse(ResponseModel):
    """The digests of a body."""

    size_bytes: int = Field(description="Size of the body.")
    digests: list[StreamDigest] = Field(description="In the order in which they were asked for.")
    checked: list[CheckedDigest] = Field(description="Digests that came with the body: all right.")
    content_digest: str | None = Field(
        description="What Content-Digest of this body says (RFC 9530), if sha256 or sha512 was "
        "computed."
    )
    stored: bool | None = Field(
        default=None, description="With `store`: true, the digests are remembered, durably."
    )


class SizesDocument(ResponseModel):
    """A range of sizes."""

    least: int
    most: int


class AlgorithmDocument(ResponseModel):
    """An algorithm that can be asked for."""

    name: str = Field(description="What to send as `algorithm`.")
    digest_bits: int = Field(description="Size of the digest in bits, unless `length` is sent.")
    cryptographic: bool = Field(description="Made to resist people who look for collisions.")
    legacy: bool = Field(description="Broken since; only for checking what already exists.")
    length: SizesDocument | None = Field(description="Bytes of digest that can be chosen.")
    key: SizesDocument | None = Field(description="Bytes of key of its own keyed mode.")
    hmac: bool = Field(description="HMAC, HKDF and PBKDF2 can be built on it.")
    salt_bytes: int = Field(description="Longest salt; 0: none.")
    person_bytes: int = Field(description="Longest personalisation; 0: none.")
    context: bool = Field(description="It derives keys in a context.")
    seed: bool = Field(description="It takes a seed.")
    source: str = Field(description="The document that defines it.")
    out_of_service: str | None = Field(description="Why it can't be used; null when it can.")


class AlgorithmsResponse(ResponseModel):
    """All algorithms."""

    algorithms: list[AlgorithmDocument]


class StoredDigestResponse(ResponseModel):
    """What is known of a digest."""

    algorithm: str = Field(description="The algorithm's name.")
    digest: str = Field(description="The digest in lower-case hex.")
    first_seen: str = Field(description="When it was stored first, in ISO 8601.")
    last_seen: str = Field(description="When it was stored last.")
    count: int = Field(description="How often it was stored.")
    size_bytes: int = Field(description="Size of the value that it was first stored for.")
    label: str | None = Field(description="The latest label; null when there never was one.")
