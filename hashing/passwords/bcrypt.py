"""bcrypt (Provos and Mazières, 1999), in its `$2b$` form."""

import base64
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import bcrypt

from hashing.errors import CostRefused, EncodedRefused, PasswordRefused
from hashing.passwords.scheme import SALT_BYTES, Limits, RandomBytes, Verification

MOST_PASSWORD_BYTES = 72
STATE_BYTES = 4168  # Blowfish's, the only memory it takes

_ENCODED = re.compile(r"\$(2[aby])\$(\d\d)\$[./A-Za-z0-9]{53}")
_STANDARD = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_OWN = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_ALPHABET = str.maketrans(_STANDARD, _OWN)


@dataclass(frozen=True)
class Bcrypt:
    """bcrypt with 2 ** `log_rounds` rounds."""

    log_rounds: int
    name = "bcrypt"
    prefixes = ("$2a$", "$2b$", "$2y$")

    @property
    def memory_bytes(self) -> int:
        """Memory of one hash."""
        return STATE_BYTES

    @property
    def cost(self) -> Mapping[str, int]:
        """What its constructor takes."""
        return asdict(self)

    def check(self, password: bytes, limits: Limits) -> None:
        """Refuse what `hash` would refuse."""
        _check(password, self.log_rounds, limits)

    def check_encoded(self, encoded: str, password: bytes, limits: Limits) -> None:
        """Refuse what `verify` would refuse, but for damage that only its work shows."""
        _read(encoded, password, limits)

    def hash(self, password: bytes, limits: Limits, random_bytes: RandomBytes) -> str:
        """Return a new encoded hash."""
        self.check(password, limits)
        salt = base64.b64encode(random_bytes(SALT_BYTES)).rstrip(b"=").decode()
        return bcrypt.hashpw(
            password, f"$2b${self.log_rounds:02}${salt.translate(_ALPHABET)}".encode()
        ).decode()

    def verify(self, encoded: str, password: bytes, limits: Limits) -> Verification:
        """Check `password`."""
        found = _read(encoded, password, limits)
        try:
            valid = bcrypt.checkpw(password, encoded.encode())
        except ValueError as error:
            raise EncodedRefused("This hash by bcrypt is damaged.") from error
        if not valid:
            return Verification(valid=False, rehash=None)
        if found[1] != "2b":
            return Verification(valid=True, rehash="It is of an old form of bcrypt.")
        same = int(found[2]) == self.log_rounds
        rehash = None if same else "Its cost is not the one that is configured."
        return Verification(valid=True, rehash=rehash)


DEFAULT = Bcrypt(log_rounds=12)


def _read(encoded: str, password: bytes, limits: Limits) -> re.Match[str]:
    """Return the form and the cost, groups 1 and 2, of an encoded hash that may be checked."""
    found = _ENCODED.fullmatch(encoded)
    if found is None:
        raise EncodedRefused("This is not a hash by bcrypt.")
    _check(password, int(found[2]), limits)
    return found


def _check(password: bytes, log_rounds: int, limits: Limits) -> None:
    # bcrypt reads 72 bytes and stops at a zero: two passwords would pass for each other
    if len(password) > MOST_PASSWORD_BYTES:
        raise PasswordRefused(f"bcrypt takes at most {MOST_PASSWORD_BYTES} bytes of password.")
    if b"\0" in password:
        raise PasswordRefused("bcrypt takes no password with a zero byte in it.")
    if not 4 <= log_rounds <= limits.bcrypt_cost:
        raise CostRefused("log_rounds", f"bcrypt takes a cost of 4 to {limits.bcrypt_cost} here.")
