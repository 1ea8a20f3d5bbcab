"""Password hashes by one preferred scheme; hashes of all schemes are checked."""

import secrets
from collections.abc import Mapping
from types import MappingProxyType

from hashing.errors import EncodedRefused
from hashing.passwords import bcrypt, scrypt
from hashing.passwords.argon2id import PROFILES
from hashing.passwords.scheme import Limits, RandomBytes, Scheme, Verification

SCHEMES: Mapping[str, Scheme] = MappingProxyType(
    {
        "argon2id": PROFILES["rfc9106_low_memory"],
        "scrypt": scrypt.DEFAULT,
        "bcrypt": bcrypt.DEFAULT,
    }
)


class PasswordHasher:
    """Hashes by `preferred`, and advises to make hashes of other schemes and costs anew.

    `schemes` check what exists; each one's own cost is what its hashes are compared with.
    """

    def __init__(
        self,
        preferred: Scheme,
        limits: Limits,
        *,
        schemes: Mapping[str, Scheme] = SCHEMES,
        random_bytes: RandomBytes = secrets.token_bytes,
    ) -> None:
        self._preferred = preferred
        self._limits = limits
        self._schemes = {**schemes, preferred.name: preferred}
        self._random_bytes = random_bytes

    def check(self, password: bytes) -> None:
        """Refuse what `hash` would refuse, at no cost."""
        self._preferred.check(password, self._limits)

    def check_encoded(self, encoded: str, password: bytes) -> None:
        """Refuse what `verify` would refuse, at next to no cost."""
        self.scheme_of(encoded).check_encoded(encoded, password, self._limits)

    def hash(self, password: bytes) -> str:
        """Return a new encoded hash.  Raises PasswordRefused, CostRefused."""
        return self._preferred.hash(password, self._limits, self._random_bytes)

    def verify(self, encoded: str, password: bytes) -> Verification:
        """Check `password`.  Raises EncodedRefused, CostRefused, PasswordRefused."""
        scheme = self.scheme_of(encoded)
        found = scheme.verify(encoded, password, self._limits)
        if found.valid and scheme is not self._preferred and found.rehash is None:
            return Verification(valid=True, rehash=f"{self._preferred.name} is preferred.")
        return found

    def scheme_of(self, encoded: str) -> Scheme:
        """Return the scheme that made a hash.  Raises EncodedRefused."""
        for scheme in self._schemes.values():
            if encoded.startswith(scheme.prefixes):
                return scheme
        known = ", ".join(self._schemes)
        raise EncodedRefused(f"This is no encoded hash of a known scheme: {known}.")
