"""scrypt (RFC 7914), encoded as a PHC string: `$scrypt$ln=17,r=8,p=1$salt$hash`."""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from hashing.errors import CostRefused, EncodedRefused, PasswordRefused
from hashing.passwords.scheme import (
    HASH_BYTES,
    MOST_PASSWORD_BYTES,
    SALT_BYTES,
    Limits,
    RandomBytes,
    Verification,
)

_ENCODED = re.compile(
    r"\$scrypt\$ln=([1-9]\d?),r=([1-9]\d{0,3}),p=([1-9]\d{0,3})"
    r"\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})"
)
_SLACK_BYTES = 1024 * 1024  # OpenSSL counts a little more than RFC 7914's formula


@dataclass(frozen=True)
class Scrypt:
    """scrypt with N = 2 ** `log_n`, block size `r` and `parallelism`."""

    log_n: int
    r: int
    parallelism: int
    name = "scrypt"
    prefixes = ("$scrypt$",)

    @property
    def memory_bytes(self) -> int:
        """Memory of one hash."""
        return 128 * self.r * ((1 << self.log_n) + self.parallelism)

    @property
    def cost(self) -> Mapping[str, int]:
        """What its constructor takes."""
        return asdict(self)

    def check_encoded(self, encoded: str, password: bytes, limits: Limits) -> None:
        """Refuse what `verify` would refuse."""
        used, _, _ = _read(encoded)
        used.check(password, limits)

    def hash(self, password: bytes, limits: Limits, random_bytes: RandomBytes) -> str:
        """Return a new encoded hash."""
        salt = random_bytes(SALT_BYTES)
        derived = self.derive(password, salt, HASH_BYTES, limits)
        cost = f"ln={self.log_n},r={self.r},p={self.parallelism}"
        return f"$scrypt${cost}${_text(salt)}${_text(derived)}"

    def verify(self, encoded: str, password: bytes, limits: Limits) -> Verification:
        """Check `password`."""
        used, salt, expected = _read(encoded)
        derived = used.derive(password, salt, len(expected), limits)
        if not hmac.compare_digest(derived, expected):
            return Verification(valid=False, rehash=None)
        if len(salt) < SALT_BYTES or len(expected) < HASH_BYTES:
            return Verification(valid=True, rehash="Its salt or its hash is short.")
        rehash = None if used == self else "Its cost is not the one that is configured."
        return Verification(valid=True, rehash=rehash)

    def check(self, password: bytes, limits: Limits) -> None:
        """Refuse what `hash` would refuse."""
        if len(password) > MOST_PASSWORD_BYTES:
            raise PasswordRefused(f"A password has at most {MOST_PASSWORD_BYTES} bytes.")
        if not 1 <= self.log_n <= 24 or self.memory_bytes > limits.memory_bytes:
            raise CostRefused(
                "log_n",
                f"scrypt with ln={self.log_n}, r={self.r} takes more than the "
                f"{limits.memory_bytes} bytes of memory that are allowed here.",
            )
        if self.parallelism > limits.scrypt_parallelism:
            raise CostRefused(
                "parallelism", f"scrypt takes p up to {limits.scrypt_parallelism} here."
            )

    def derive(self, password: bytes, salt: bytes, size: int, limits: Limits) -> bytes:
        """Return scrypt's `size` bytes.  Raises CostRefused, PasswordRefused."""
        self.check(password, limits)
        return hashlib.scrypt(
            password, salt=salt, n=1 << self.log_n, r=self.r, p=self.parallelism,
            maxmem=self.memory_bytes + _SLACK_BYTES, dklen=size,
        )  # fmt: skip


def _read(encoded: str) -> tuple[Scrypt, bytes, bytes]:
    """Return the cost, the salt and the hash of an encoded hash."""
    found = _ENCODED.fullmatch(encoded)
    if found is None:
        raise EncodedRefused("This is not a hash by scrypt in PHC form.")
    try:
        salt, expected = _bytes(found[4]), _bytes(found[5])
    except ValueError as error:
        raise EncodedRefused("This hash by scrypt is damaged.") from error
    return Scrypt(int(found[1]), int(found[2]), int(found[3])), salt, expected


DEFAULT = Scrypt(log_n=17, r=8, parallelism=1)


def _text(data: bytes) -> str:
    return base64.b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
