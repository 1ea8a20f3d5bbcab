"""docs/hashing.md tells what the registry tells."""

import re
from pathlib import Path

import pytest

from hashing.digester import Digester
from hashing.passwords.hasher import SCHEMES
from hashing.registry import REGISTRY, Algorithm
from hashing.rows import encode_row
from tests.unit.hashing.vectors import FILES, FOLDER, table

PAGE = (Path(__file__).parents[3] / "docs" / "hashing.md").read_text()


def row(known: Algorithm) -> str:
    """Return the line of the page's table for an algorithm."""
    size = f"{known.digest_bytes}"
    if known.length is not None:
        size += f" ({known.length.least}–{known.length.most})"  # noqa: RUF001 - typography
    takes = [f"key of {known.key} bytes"] if known.key else []
    takes += ["HMAC"] if known.hmac else []
    takes += [f"salt up to {known.salt_bytes}"] if known.salt_bytes else []
    takes += [f"person up to {known.person_bytes}"] if known.person_bytes else []
    takes += ["context"] if known.context else []
    takes += ["seed"] if known.seed else []
    use = "any" if known.cryptographic else "not cryptographic"
    use = "legacy" if known.legacy else use
    options = ", ".join(takes) or "–"  # noqa: RUF001 - typography
    return f"| `{known.name}` | {size} | {options} | {use} | {known.source} |"


@pytest.mark.parametrize("name", REGISTRY)
def test_every_algorithm_is_documented_as_it_is(name: str) -> None:
    assert row(REGISTRY[name]) in PAGE.splitlines()


def test_no_algorithm_is_documented_that_is_not_there() -> None:
    table = PAGE.partition("## Algorithms")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)`", table, re.MULTILINE) == list(REGISTRY)


def test_the_example_of_a_row_is_right() -> None:
    encoded = encode_row(["ab", None, 7])
    assert encoded.hex() in PAGE
    assert Digester({}).digest("sha256", encoded).hex() in PAGE


def test_the_published_vectors_are_listed_as_they_are() -> None:
    assert "\n".join(table()) in PAGE


def test_every_file_of_vectors_is_listed() -> None:
    assert sorted(FILES) == sorted(path.stem for path in FOLDER.glob("*.json"))


def test_every_password_scheme_is_documented() -> None:
    assert all(f"| `{name}` |" in PAGE for name in SCHEMES)
