"""What a request accepts, and what it gets."""

import pytest

from app.formats.choice import chosen_encoding, chosen_format
from app.problems import Problem


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, "json"),
        ("*/*;q=0.1, text/csv;q=0.2", "csv"),
        ("text/*;q=0.3, text/csv;q=0, */*;q=0.1", "json"),
        ("application/*;q=0.4, application/json;q=0.3", "ndjson"),
        ("application/vnd.apache.arrow.stream, text/csv", "csv"),
    ],
)
def test_the_most_specific_range_counts(accept: str | None, expected: str) -> None:
    assert chosen_format(accept, None).name == expected


def test_nothing_acceptable_is_refused() -> None:
    with pytest.raises(Problem) as caught:
        chosen_format("image/png", None)
    assert caught.value.kind.status == 406


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, None),
        ("", None),
        ("gzip", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip;q=1, zstd;q=0.5", "gzip"),
        ("zstd;q=0", None),
        ("br, identity", None),
    ],
)
def test_the_wanted_compression_is_used(accept: str | None, expected: str | None) -> None:
    assert chosen_encoding(accept) == expected
