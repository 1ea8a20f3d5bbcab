"""Digests, keyed digests and their comparison, of the algorithms that passed their self-test."""

import hmac
from collections.abc import Mapping, Sequence

from hashing.errors import OutOfService
from hashing.hashers import Data, Hasher, hasher
from hashing.options import PLAIN, Options, construction
from hashing.registry import Algorithm, algorithm


class Digester:
    """Digests by name; refuses algorithms in `failures` (name to reason).

    `failures` is what `known_answers.self_test` found: a wrong digest, stored, is worse than none.
    """

    def __init__(self, failures: Mapping[str, str]) -> None:
        self.failures = dict(failures)

    def algorithm(self, name: str) -> Algorithm:
        """Return an algorithm in service.  Raises UnknownAlgorithm, OutOfService."""
        known = algorithm(name)
        if name in self.failures:
            raise OutOfService(name, self.failures[name])
        return known

    def hasher(self, name: str, options: Options = PLAIN) -> Hasher:
        """Return a new hasher.  Raises UnknownAlgorithm, OutOfService, OptionRefused."""
        known = self.algorithm(name)
        return hasher(known, options, construction(known, options))

    def digest(self, name: str, data: Data, options: Options = PLAIN) -> bytes:
        """Return the digest of `data`.  Raises as `hasher` does."""
        made = self.hasher(name, options)
        made.update(data)
        return made.digest()

    def verify(self, name: str, data: Data, expected: bytes, options: Options = PLAIN) -> bool:
        """Tell whether `expected` is the digest of `data`.

        The time does not depend on where the two differ, so that nobody finds a keyed digest byte
        by byte.  Raises as `hasher` does.
        """
        return hmac.compare_digest(self.digest(name, data, options), expected)

    def several(self, names: Sequence[str]) -> "Several":
        """Return hashers of several algorithms that take the same data in one pass."""
        return Several({name: self.hasher(name) for name in names})


class Several:
    """Several hashers over one stream; `size_bytes` counts what they took."""

    def __init__(self, hashers: Mapping[str, Hasher]) -> None:
        self._hashers = hashers
        self._updates = [one.update for one in hashers.values()]
        self.size_bytes = 0

    def update(self, data: Data) -> None:
        """Give more data to each."""
        for update in self._updates:
            update(data)
        self.size_bytes += len(data)

    def digests(self) -> dict[str, bytes]:
        """Return name to digest, in the order in which they were asked for."""
        return {name: one.digest() for name, one in self._hashers.items()}
