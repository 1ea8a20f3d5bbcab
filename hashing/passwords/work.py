"""Password hashing as a piece of work that travels, and what comes of it."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Self

from hashing.errors import (
    CostRefused,
    EncodedRefused,
    OutOfService,
    PasswordError,
    PasswordRefused,
)
from hashing.passwords.argon2id import Argon2id
from hashing.passwords.bcrypt import Bcrypt
from hashing.passwords.hasher import PasswordHasher
from hashing.passwords.scheme import Limits, Scheme
from hashing.passwords.scrypt import Scrypt

_SCHEMES: Mapping[str, Callable[..., Scheme]] = {
    "argon2id": Argon2id, "scrypt": Scrypt, "bcrypt": Bcrypt,
}  # fmt: skip


class WorkMalformed(Exception):
    """The bytes are not what `encode` writes."""


@dataclass(frozen=True)
class Work:
    """Hash `password` by `scheme`; with `encoded`, check it against that instead.

    Then `scheme` is what a new hash would be made by, and the advice compares with it.  Neither
    text shows in the representation: that ends in logs.
    """

    password: str = field(repr=False)
    scheme: Scheme
    encoded: str | None = field(default=None, repr=False)

    def used(self, limits: Limits) -> str:
        """Return the name of the scheme that does the work.  Raises EncodedRefused."""
        if self.encoded is None:
            return self.scheme.name
        return PasswordHasher(self.scheme, limits).scheme_of(self.encoded).name

    def check(self, limits: Limits) -> None:
        """Refuse what `perform` would refuse, at next to no cost.  Raises PasswordError."""
        hasher = PasswordHasher(self.scheme, limits)
        password = _bytes(self.password)
        if self.encoded is None:
            hasher.check(password)
        else:
            hasher.check_encoded(self.encoded, password)

    def perform(self, limits: Limits) -> "Outcome":
        """Do it; slow on purpose.  Raises PasswordError."""
        hasher = PasswordHasher(self.scheme, limits)
        password = _bytes(self.password)
        began = time.perf_counter()
        if self.encoded is None:
            encoded = hasher.hash(password)
            return Outcome(took_s=time.perf_counter() - began, encoded=encoded)
        found = hasher.verify(self.encoded, password)
        took_s = time.perf_counter() - began
        return Outcome(took_s=took_s, valid=found.valid, rehash=found.rehash)

    def encode(self) -> bytes:
        """Return what `decode` reads; it holds the password as it is."""
        return json.dumps({
            "password": self.password,
            "scheme": self.scheme.name,
            "cost": dict(self.scheme.cost),
            "encoded": self.encoded,
        }).encode()  # fmt: skip

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what `encode` wrote.  Raises WorkMalformed."""
        try:
            read = json.loads(data)
            scheme = _SCHEMES[read["scheme"]](**read["cost"])
            return cls(str(read["password"]), scheme, read["encoded"])
        except (KeyError, TypeError, ValueError):
            raise WorkMalformed("not a piece of password work") from None


@dataclass(frozen=True)
class Refusal:
    """Why it was not done; `option` names the part of the cost, or the scheme out of service."""

    kind: str
    reason: str
    option: str = ""


@dataclass(frozen=True)
class Outcome:
    """What came of it, after `took_s` seconds of work: one of the others is set."""

    took_s: float = 0.0
    encoded: str | None = field(default=None, repr=False)
    valid: bool | None = None
    rehash: str | None = None
    refusal: Refusal | None = None

    @classmethod
    def refused(cls, error: PasswordError | OutOfService) -> Self:
        """Return that the work was refused."""
        option = error.option if isinstance(error, CostRefused) else ""
        if isinstance(error, OutOfService):
            return cls(refusal=Refusal("OutOfService", error.reason, error.name))
        return cls(refusal=Refusal(type(error).__name__, str(error), option))

    def raise_refusal(self) -> None:
        """Raise the PasswordError, or OutOfService, that it was refused with, if it was."""
        match self.refusal:
            case None:
                return
            case Refusal("CostRefused", reason, option):
                raise CostRefused(option, reason)
            case Refusal("OutOfService", reason, name):
                raise OutOfService(name, reason)
            case Refusal("PasswordRefused", reason):
                raise PasswordRefused(reason)
            case Refusal(_, reason):
                raise EncodedRefused(reason)

    def encode(self) -> bytes:
        """Return what `decode` reads."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what `encode` wrote.  Raises WorkMalformed."""
        try:
            read = json.loads(data)
            refusal = read.pop("refusal")
            return cls(**read, refusal=None if refusal is None else Refusal(**refusal))
        except (AttributeError, KeyError, TypeError, ValueError):
            raise WorkMalformed("not the outcome of password work") from None


def _bytes(password: str) -> bytes:
    try:
        return password.encode()
    except UnicodeEncodeError:
        raise PasswordRefused("It holds half of a surrogate pair, which UTF-8 cannot.") from None
