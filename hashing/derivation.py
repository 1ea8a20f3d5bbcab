"""Keys from keys: HKDF (RFC 5869), and from passwords: PBKDF2 (RFC 8018)."""

import hashlib
import hmac

from hashing.digester import Digester
from hashing.errors import OptionRefused
from hashing.registry import Algorithm


class Derivation:
    """Derives keys with the algorithms that HMAC may be built on.

    `max_pbkdf2_rounds` bounds the work of one PBKDF2: iterations times blocks of output.
    """

    def __init__(self, digester: Digester, max_pbkdf2_rounds: int) -> None:
        self._digester = digester
        self._max_rounds = max_pbkdf2_rounds

    def hkdf(self, name: str, key: bytes, salt: bytes, info: bytes, length: int) -> bytes:
        """Return `length` bytes, at most 255 digests, derived from `key` (RFC 5869, section 2).

        An empty `salt` is a digest of zeros.  Raises UnknownAlgorithm, OutOfService,
        OptionRefused.
        """
        known = self._algorithm(name)
        most = 255 * known.digest_bytes
        if not 1 <= length <= most:
            raise OptionRefused(
                "length", f"HKDF with {name} returns 1 to {most} bytes.", "Choose another length."
            )
        pseudorandom = hmac.digest(salt or bytes(known.digest_bytes), key, name)
        block, output, counter = b"", b"", 0
        while len(output) < length:
            counter += 1
            block = hmac.digest(pseudorandom, block + info + bytes([counter]), name)
            output += block
        return output[:length]

    def pbkdf2(self, name: str, key: bytes, salt: bytes, iterations: int, length: int) -> bytes:
        """Return `length` bytes derived from the password `key` (RFC 8018, section 5.2).

        Raises UnknownAlgorithm, OutOfService, OptionRefused.
        """
        known = self._algorithm(name)
        if iterations < 1 or length < 1:
            wrong = "iterations" if iterations < 1 else "length"
            raise OptionRefused(wrong, f"{wrong} is below 1.", "Send at least 1.")
        blocks = -(-length // known.digest_bytes)
        if iterations * blocks > self._max_rounds:
            raise OptionRefused(
                "iterations",
                f"{iterations} iterations for {blocks} blocks of output are {iterations * blocks} "
                f"rounds; {self._max_rounds} are allowed.",
                "Send fewer iterations, or a smaller length.",
            )
        return hashlib.pbkdf2_hmac(name, key, salt, iterations, length)

    def _algorithm(self, name: str) -> Algorithm:
        known = self._digester.algorithm(name)
        if not known.hmac:
            raise OptionRefused(
                "algorithm", f"HMAC is not built on {name}.", "Choose one with hmac, as sha256."
            )
        return known
