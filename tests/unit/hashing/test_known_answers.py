"""Published vectors, and the self-test that is made from some of them."""

from time import process_time
from typing import Any

import pytest

from hashing import known_answers
from hashing.derivation import Derivation
from hashing.digester import Digester
from hashing.errors import OutOfService
from hashing.known_answers import self_test
from hashing.registry import REGISTRY
from tests.unit.hashing.vectors import DIGESTS, message, options, read

DIGESTER = Digester({})
ALL = [(name, vector) for name in DIGESTS for vector in read(name)]
DERIVATION = Derivation(DIGESTER, 1_000_000)


@pytest.mark.parametrize(("name", "vector"), ALL, ids=[f"{n}-{v['algorithm']}" for n, v in ALL])
def test_a_published_message_has_its_published_digest(name: str, vector: dict[str, Any]) -> None:
    data = message(vector["message"])
    assert DIGESTER.digest(vector["algorithm"], data, options(vector)).hex() == vector["digest"]


def test_every_algorithm_of_the_registry_has_published_vectors() -> None:
    assert {vector["algorithm"] for _, vector in ALL} == set(REGISTRY)


@pytest.mark.parametrize("vector", read("hkdf"))
def test_hkdf_gives_the_keys_of_rfc_5869(vector: dict[str, Any]) -> None:
    key, salt, info, derived = (
        bytes.fromhex(vector[part]) for part in ("key", "salt", "info", "derived")
    )
    assert DERIVATION.hkdf(vector["algorithm"], key, salt, info, len(derived)) == derived


@pytest.mark.parametrize("vector", read("pbkdf2"))
def test_pbkdf2_gives_the_keys_of_the_rfcs(vector: dict[str, Any]) -> None:
    key, salt, derived = (bytes.fromhex(vector[part]) for part in ("key", "salt", "derived"))
    rounds, name = vector["iterations"], vector["algorithm"]
    assert DERIVATION.pbkdf2(name, key, salt, rounds, len(derived)) == derived


def test_the_self_test_passes_fast() -> None:
    began = process_time()
    assert self_test() == {}
    assert process_time() - began < 0.5  # some 3 ms; a start must not become slow unnoticed


def test_the_self_test_asks_every_algorithm() -> None:
    assert set(known_answers.PLAIN_ANSWERS) == set(REGISTRY)


@pytest.mark.parametrize("name", REGISTRY)
def test_a_wrong_algorithm_is_taken_out_of_service_and_named(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    wrong = {**known_answers.PLAIN_ANSWERS, name: (b"abc", "00")}
    monkeypatch.setattr(known_answers, "PLAIN_ANSWERS", wrong)
    failures = self_test()
    assert list(failures) == [name]
    with pytest.raises(OutOfService, match=f"'{name}' is out of service: its digest"):
        Digester(failures).digest(name, b"")
    others = REGISTRY.keys() - {name}
    assert all(Digester(failures).digest(other, b"") for other in others)


def test_an_algorithm_that_cannot_even_run_is_taken_out_of_service(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_args: object, **_options: object) -> None:
        raise ValueError("disabled")

    monkeypatch.setattr("hashing.hashers.hashlib.new", refuse)
    assert "it fails with ValueError" in self_test()["md5"]
    assert "blake3" not in self_test()


@pytest.mark.parametrize(("table", "word"), [("_JEFE", "HMAC"), ("_KEYED", "keyed")])
def test_keyed_digests_are_tested_too(
    monkeypatch: pytest.MonkeyPatch, table: str, word: str
) -> None:
    name = "sha256" if table == "_JEFE" else "blake3"
    wrong = "00" if table == "_JEFE" else (bytes(32), "00")
    monkeypatch.setitem(getattr(known_answers, table), name, wrong)
    assert word in self_test()[name]
