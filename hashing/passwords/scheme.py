"""What all schemes have in common: costs, limits on them, and what a check says."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

SALT_BYTES = 16
HASH_BYTES = 32
MOST_PASSWORD_BYTES = 4096  # hashing the password itself costs time too

RandomBytes = Callable[[int], bytes]


@dataclass(frozen=True)
class Limits:
    """The most that one hash may cost, asked for or named by a hash that is checked.

    Without limits, who sends an encoded hash chooses the memory and time that its check takes.
    """

    memory_bytes: int = 256 * 1024 * 1024
    argon2id_passes: int = 10
    argon2id_lanes: int = 16
    scrypt_parallelism: int = 16
    bcrypt_cost: int = 15


@dataclass(frozen=True)
class Verification:
    """Whether a password fits; `rehash` says why a new hash should be made, None when not.

    Advice is given only when the password fits: only then can a new hash be made.
    """

    valid: bool
    rehash: str | None


class Scheme(Protocol):
    """One way to hash passwords.

    `check` and `hash` raise PasswordRefused and CostRefused; `check_encoded` and `verify` those and
    EncodedRefused.  Both checks cost next to nothing.
    """

    @property
    def name(self) -> str:
        """The scheme's name."""

    @property
    def prefixes(self) -> tuple[str, ...]:
        """What its encoded hashes begin with."""

    @property
    def memory_bytes(self) -> int:
        """Memory that one hash by this scheme's cost takes."""

    @property
    def cost(self) -> Mapping[str, int]:
        """The parts of its cost by name, as its constructor takes them."""

    def check(self, password: bytes, limits: Limits) -> None:
        """Refuse what `hash` would refuse."""

    def check_encoded(self, encoded: str, password: bytes, limits: Limits) -> None:
        """Refuse what `verify` would refuse, but for damage that only its work shows."""

    def hash(self, password: bytes, limits: Limits, random_bytes: RandomBytes) -> str:
        """Return a new encoded hash of `password`."""

    def verify(self, encoded: str, password: bytes, limits: Limits) -> Verification:
        """Check `password` against an encoded hash of this scheme, of any cost within `limits`."""
