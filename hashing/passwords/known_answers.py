"""The self-test of a worker's start: each scheme's answer where the answer is published."""

from collections.abc import Mapping

from hashing.passwords.argon2id import PROFILES
from hashing.passwords.bcrypt import DEFAULT as BCRYPT
from hashing.passwords.scheme import Limits, Scheme
from hashing.passwords.scrypt import Scrypt

# the Argon2 reference implementation's test.c, and crypt_blowfish's wrapper.c
ENCODED: Mapping[str, tuple[Scheme, bytes, str]] = {
    "argon2id": (
        PROFILES["rfc9106_low_memory"],
        b"password",
        "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
    ),
    "bcrypt": (BCRYPT, b"U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
}
# RFC 7914, section 12, the first: empty password and salt, N = 16, r = 1, p = 1
SCRYPT = (
    "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"
    "fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906"
)


def self_test() -> dict[str, str]:
    """Return name to reason of each scheme that is wrong; takes some milliseconds."""
    failures: dict[str, str] = {}
    for name in (*ENCODED, "scrypt"):
        try:
            if not _is_right(name):
                failures[name] = "its answer to a published question is wrong"
        except Exception as error:  # noqa: BLE001 - whatever it is, the scheme does not work
            failures[name] = f"it fails with {type(error).__name__}"
    return failures


def _is_right(name: str) -> bool:
    limits = Limits()
    if name == "scrypt":
        return Scrypt(log_n=4, r=1, parallelism=1).derive(b"", b"", 64, limits).hex() == SCRYPT
    scheme, password, encoded = ENCODED[name]
    fits = scheme.verify(encoded, password, limits).valid
    return fits and not scheme.verify(encoded, password + b"x", limits).valid
