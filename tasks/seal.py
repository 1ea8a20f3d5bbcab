"""Payloads that nobody may read or change on their way through Redis, which writes to its disk."""

import hashlib
import hmac
import os
from collections.abc import Callable
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tasks.errors import MessageMalformed

Purpose = Literal["password task", "password answer"]

KEY_BYTES = 32
NONCE_BYTES = 12  # NIST SP 800-38D, section 8.2


class Seal:
    """Seals by AES-256-GCM, with a key for each purpose and name, derived from `key`.

    The name is that of one scatter, so a message that is moved to another one, or an answer that is
    given as a task, does not open.  A key for each also means that random nonces never wear out.
    """

    def __init__(self, key: bytes, random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes")
        self._key = key
        self._random_bytes = random_bytes

    def close(self, purpose: Purpose, name: str, data: bytes) -> bytes:
        """Return `data` sealed: nonce, then what AES-GCM makes of it."""
        cipher, context = self._cipher(purpose, name)
        nonce = self._random_bytes(NONCE_BYTES)
        return nonce + cipher.encrypt(nonce, data, context)

    def open(self, purpose: Purpose, name: str, sealed: bytes) -> bytes:
        """Return what `close` was given, for the same purpose and name.

        Raises MessageMalformed for all else.
        """
        cipher, context = self._cipher(purpose, name)
        nonce, rest = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        try:
            return cipher.decrypt(nonce, rest, context)
        except (InvalidTag, ValueError) as error:
            raise MessageMalformed("a sealed message was changed, or is another's") from error

    def _cipher(self, purpose: Purpose, name: str) -> tuple[AESGCM, bytes]:
        context = f"millrace {purpose}, version 1\0{name}".encode()
        return AESGCM(hmac.digest(self._key, context, hashlib.sha256)), context
