"""Argon2id (RFC 9106), encoded as a PHC string."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType

from argon2 import Parameters, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError
from argon2.low_level import ARGON2_VERSION, Type, hash_secret, verify_secret

from hashing.errors import CostRefused, EncodedRefused, PasswordRefused
from hashing.passwords.scheme import (
    HASH_BYTES,
    MOST_PASSWORD_BYTES,
    SALT_BYTES,
    Limits,
    RandomBytes,
    Verification,
)


@dataclass(frozen=True)
class Argon2id:
    """Argon2id with `passes` over `memory_kib` in `lanes`."""

    passes: int
    memory_kib: int
    lanes: int
    name = "argon2id"
    prefixes = ("$argon2id$",)

    @property
    def memory_bytes(self) -> int:
        """Memory of one hash."""
        return self.memory_kib * 1024

    @property
    def cost(self) -> Mapping[str, int]:
        """What its constructor takes."""
        return asdict(self)

    def check(self, password: bytes, limits: Limits) -> None:
        """Refuse what `hash` would refuse."""
        _check_password(password)
        _check_cost(self.passes, self.memory_kib, self.lanes, limits)

    def check_encoded(self, encoded: str, password: bytes, limits: Limits) -> None:
        """Refuse what `verify` would refuse, but for damage that only its work shows."""
        _read(encoded, password, limits)

    def hash(self, password: bytes, limits: Limits, random_bytes: RandomBytes) -> str:
        """Return a new encoded hash."""
        self.check(password, limits)
        return hash_secret(
            password, random_bytes(SALT_BYTES), time_cost=self.passes,
            memory_cost=self.memory_kib, parallelism=self.lanes, hash_len=HASH_BYTES, type=Type.ID,
        ).decode()  # fmt: skip

    def verify(self, encoded: str, password: bytes, limits: Limits) -> Verification:
        """Check `password`."""
        found = _read(encoded, password, limits)
        try:
            verify_secret(encoded.encode(), password, Type.ID)
        except VerifyMismatchError:
            return Verification(valid=False, rehash=None)
        except VerificationError as error:
            raise EncodedRefused("This hash by Argon2id is damaged.") from error
        return Verification(valid=True, rehash=self._advice(found))

    def _advice(self, found: Parameters) -> str | None:
        if found.version < ARGON2_VERSION:
            return "It is of an old version of Argon2."
        if found.salt_len < SALT_BYTES or found.hash_len < HASH_BYTES:
            return "Its salt or its hash is shorter than RFC 9106 recommends."
        given = (found.time_cost, found.memory_cost, found.parallelism)
        if given != (self.passes, self.memory_kib, self.lanes):
            return "Its cost is not the one that is configured."
        return None


# RFC 9106, section 4: the first choice, and the second where memory is scarce
PROFILES: Mapping[str, Argon2id] = MappingProxyType(
    {
        "rfc9106_high_memory": Argon2id(passes=1, memory_kib=2**21, lanes=4),
        "rfc9106_low_memory": Argon2id(passes=3, memory_kib=2**16, lanes=4),
    }
)


def _read(encoded: str, password: bytes, limits: Limits) -> Parameters:
    """Return the parameters of an encoded hash that may be checked."""
    _check_password(password)
    try:
        found = extract_parameters(encoded)
    except (InvalidHashError, ValueError) as error:
        raise EncodedRefused("This is not a hash by Argon2id in PHC form.") from error
    _check_cost(found.time_cost, found.memory_cost, found.parallelism, limits)
    return found


def _check_password(password: bytes) -> None:
    if len(password) > MOST_PASSWORD_BYTES:
        raise PasswordRefused(f"A password has at most {MOST_PASSWORD_BYTES} bytes.")


def _check_cost(passes: int, memory_kib: int, lanes: int, limits: Limits) -> None:
    if not 1 <= passes <= limits.argon2id_passes:
        raise CostRefused("passes", f"Argon2id takes 1 to {limits.argon2id_passes} passes here.")
    if not 1 <= lanes <= limits.argon2id_lanes:
        raise CostRefused("lanes", f"Argon2id takes 1 to {limits.argon2id_lanes} lanes here.")
    most_kib = limits.memory_bytes // 1024
    if not 8 * lanes <= memory_kib <= most_kib:
        raise CostRefused(
            "memory_kib", f"Argon2id takes {8 * lanes} to {most_kib} KiB of memory here."
        )
