"""Password hashes: published vectors, other implementations, advice and limits."""

import base64
from typing import Any

import pytest
from argon2.low_level import Type, core, error_to_str, ffi
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt as OtherScrypt
from hypothesis import given, settings
from hypothesis import strategies as st

from hashing.errors import CostRefused, EncodedRefused, PasswordRefused
from hashing.passwords import known_answers
from hashing.passwords.argon2id import PROFILES, Argon2id
from hashing.passwords.bcrypt import Bcrypt
from hashing.passwords.hasher import SCHEMES, PasswordHasher
from hashing.passwords.scheme import Limits, Scheme
from hashing.passwords.scrypt import Scrypt
from tests.unit.hashing.vectors import read

LIMITS = Limits()
CHEAP: dict[str, Scheme] = {
    "argon2id": Argon2id(passes=1, memory_kib=64, lanes=1),
    "scrypt": Scrypt(log_n=4, r=8, parallelism=1),
    "bcrypt": Bcrypt(log_rounds=4),
}


def hasher(preferred: Scheme) -> PasswordHasher:
    return PasswordHasher(preferred, LIMITS, schemes=CHEAP)


@pytest.mark.parametrize("vector", read("scrypt"))
def test_scrypt_gives_the_keys_of_rfc_7914(vector: dict[str, Any]) -> None:
    scheme = Scrypt(vector["log_n"], vector["r"], vector["parallelism"])
    password, salt = vector["password"].encode(), vector["salt"].encode()
    derived = bytes.fromhex(vector["derived"])
    assert scheme.derive(password, salt, len(derived), LIMITS) == derived


@pytest.mark.parametrize("vector", read("bcrypt"))
def test_bcrypt_knows_the_published_hashes(vector: dict[str, Any]) -> None:
    scheme = Bcrypt(log_rounds=5)
    password = vector["password"].encode()
    found = scheme.verify(vector["encoded"], password, LIMITS)
    assert found.valid
    assert found.rehash == "It is of an old form of bcrypt."
    assert not scheme.verify(vector["encoded"], password + b"x", LIMITS).valid


@pytest.mark.parametrize("vector", read("argon2id_encoded"))
def test_argon2id_knows_the_published_hashes(vector: dict[str, Any]) -> None:
    password = vector["password"].encode()
    assert CHEAP["argon2id"].verify(vector["encoded"], password, LIMITS).valid
    assert not CHEAP["argon2id"].verify(vector["encoded"], password + b"x", LIMITS).valid


def test_every_scheme_passes_its_self_test() -> None:
    assert known_answers.self_test() == {}
    assert {*known_answers.ENCODED, "scrypt"} == set(SCHEMES)


@pytest.mark.parametrize("name", SCHEMES)
def test_a_wrong_scheme_is_found_by_the_self_test_and_no_other(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    if name == "scrypt":
        monkeypatch.setattr(known_answers, "SCRYPT", "00")
    else:
        scheme, password, encoded = known_answers.ENCODED[name]
        wrong = {**known_answers.ENCODED, name: (scheme, password + b"x", encoded)}
        monkeypatch.setattr(known_answers, "ENCODED", wrong)
    assert known_answers.self_test() == {name: "its answer to a published question is wrong"}


def test_a_scheme_that_cannot_even_run_is_found_by_the_self_test(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("hashing.passwords.scrypt.hashlib.scrypt", refuse)
    assert known_answers.self_test() == {"scrypt": "it fails with MemoryError"}


@pytest.mark.parametrize("vector", read("argon2id"))
def test_the_argon2_that_we_use_gives_the_tag_of_rfc_9106(vector: dict[str, Any]) -> None:
    parts = {
        part: bytes.fromhex(vector[part]) for part in ("password", "salt", "secret", "associated")
    }
    buffers = {part: ffi.new("uint8_t[]", data) for part, data in parts.items()}
    tag = ffi.new("uint8_t[]", 32)
    context = ffi.new("argon2_context *", {
        "out": tag, "outlen": 32,
        "pwd": buffers["password"], "pwdlen": len(parts["password"]),
        "salt": buffers["salt"], "saltlen": len(parts["salt"]),
        "secret": buffers["secret"], "secretlen": len(parts["secret"]),
        "ad": buffers["associated"], "adlen": len(parts["associated"]),
        "t_cost": vector["passes"], "m_cost": vector["memory_kib"],
        "lanes": vector["lanes"], "threads": 1, "version": 19,
        "allocate_cbk": ffi.NULL, "free_cbk": ffi.NULL, "flags": 0,
    })  # fmt: skip
    code = core(context, Type.ID.value)
    assert code == 0, error_to_str(code)
    assert bytes(ffi.buffer(tag, 32)).hex() == vector["derived"]


@settings(max_examples=10, deadline=None)
@given(password=st.binary(max_size=100))
def test_scrypt_equals_that_of_cryptography(password: bytes) -> None:
    encoded = CHEAP["scrypt"].hash(password, LIMITS, bytes)
    *_, salt, derived = encoded.split("$")
    other = OtherScrypt(base64.b64decode(salt + "=="), 32, 2**4, 8, 1).derive(password)
    assert base64.b64decode(derived + "=") == other


@pytest.mark.parametrize("name", CHEAP)
@settings(max_examples=8, deadline=None)
@given(password=st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=15))
def test_a_password_fits_its_hash_and_no_other(name: str, password: str) -> None:
    one = hasher(CHEAP[name])
    encoded = one.hash(password.encode())
    assert encoded != one.hash(password.encode())  # its salt is new each time
    found = one.verify(encoded, password.encode())
    assert (found.valid, found.rehash) == (True, None)
    assert not one.verify(encoded, password.encode() + b"x").valid


@pytest.mark.parametrize("name", CHEAP)
def test_another_cost_or_scheme_is_advised_against_once_the_password_fits(name: str) -> None:
    encoded = hasher(CHEAP[name]).hash(b"pw")
    costlier: dict[str, Scheme] = {
        "argon2id": Argon2id(2, 64, 1), "scrypt": Scrypt(5, 8, 1), "bcrypt": Bcrypt(5),
    }  # fmt: skip
    advised = hasher(costlier[name])
    assert advised.verify(encoded, b"pw").rehash == "Its cost is not the one that is configured."
    assert advised.verify(encoded, b"no").rehash is None
    preferred = CHEAP["scrypt" if name != "scrypt" else "argon2id"]
    rehash = hasher(preferred).verify(encoded, b"pw").rehash
    assert rehash == f"{preferred.name} is preferred."


def test_the_profiles_are_those_of_rfc_9106() -> None:
    high, low = PROFILES["rfc9106_high_memory"], PROFILES["rfc9106_low_memory"]
    assert (high.passes, high.lanes, high.memory_bytes) == (1, 4, 2 * 1024**3)
    assert (low.passes, low.lanes, low.memory_bytes) == (3, 4, 64 * 1024**2)
    assert all(scheme.memory_bytes <= LIMITS.memory_bytes for scheme in SCHEMES.values())


@pytest.mark.parametrize(
    "encoded",
    [
        "$argon2id$v=19$m=1048576,t=3,p=4$AAAAAAAAAAAAAAAAAAAAAA$" + "A" * 43,
        "$argon2id$v=19$m=64,t=11,p=1$AAAAAAAAAAAAAAAAAAAAAA$" + "A" * 43,
        "$argon2id$v=19$m=1024,t=1,p=17$AAAAAAAAAAAAAAAAAAAAAA$" + "A" * 43,
        "$scrypt$ln=30,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$" + "A" * 43,
        "$scrypt$ln=18,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$" + "A" * 43,
        "$scrypt$ln=4,r=8,p=17$AAAAAAAAAAAAAAAAAAAAAA$" + "A" * 43,
        "$2b$16$" + "A" * 53,
    ],
)
def test_a_hash_cannot_make_its_check_cost_more_than_is_allowed(encoded: str) -> None:
    with pytest.raises(CostRefused):
        hasher(CHEAP["argon2id"]).verify(encoded, b"pw")


@pytest.mark.parametrize(
    "encoded",
    [
        "",
        "plain",
        "$1$salt$hash",
        "$argon2id$",
        "$argon2id$v=19$m=64,t=1,p=1$!$!",
        "$scrypt$ln=4",
        "$scrypt$ln=4,r=8,p=1$AAAAAAAAAAAAAAAAAAAAA$" + "A" * 45,
        "$2b$04$short",
        "$2b$04$" + "é" * 53,
    ],
)
def test_what_is_no_encoded_hash_is_refused(encoded: str) -> None:
    with pytest.raises(EncodedRefused):
        hasher(CHEAP["argon2id"]).verify(encoded, b"pw")


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("bcrypt", b"x" * 73),
        ("bcrypt", b"a\0b"),
        ("scrypt", bytes(4097)),
        ("argon2id", bytes(4097)),
    ],
)
def test_a_password_that_would_be_cut_is_refused(name: str, password: bytes) -> None:
    with pytest.raises(PasswordRefused):
        hasher(CHEAP[name]).hash(password)


def test_a_preferred_scheme_beyond_the_limits_is_refused() -> None:
    with pytest.raises(CostRefused):
        hasher(PROFILES["rfc9106_high_memory"]).hash(b"pw")
