"""What the hash calls work with, built once in each serving process."""

from dataclasses import dataclass

import structlog

from app.hashes.settings import HashSettings
from hashing.derivation import Derivation
from hashing.digester import Digester
from hashing.known_answers import self_test

_log = structlog.stdlib.get_logger("app.hashes")


@dataclass(frozen=True)
class Hashing:
    """Digests and key derivation by the algorithms that passed their self-test."""

    settings: HashSettings
    digester: Digester
    derivation: Derivation


def build_hashing(settings: HashSettings) -> Hashing:
    """Test all algorithms, which takes some milliseconds, and build on those that passed."""
    failures = self_test()
    for name, reason in failures.items():
        _log.error("algorithm out of service", algorithm=name, reason=reason)
    digester = Digester(failures)
    return Hashing(settings, digester, Derivation(digester, settings.hash_max_pbkdf2_rounds))
