"""Bytes as text, both ways."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashing.errors import TextRefused
from hashing.text import Encoding, Output, decode, encode, read_digest


@given(data=st.binary(max_size=100), output=st.sampled_from(["hex", "base64", "base64url"]))
def test_what_is_written_is_read(data: bytes, output: Output) -> None:
    assert read_digest(encode(data, output), output) == data


@given(data=st.binary(max_size=100))
def test_base64url_has_no_padding_and_reads_with_it(data: bytes) -> None:
    padded = base64.urlsafe_b64encode(data).decode()
    assert encode(data, "base64url") == padded.rstrip("=")
    assert read_digest(padded, "base64url") == data


@pytest.mark.parametrize(
    ("text", "encoding", "word"),
    [
        ("YQ", "base64", "padding"),
        ("YQ=\n=", "base64", "line breaks"),
        ("Y-==", "base64", "A-Z"),
        ("abc", "hex", "even number"),
        ("a b0", "hex", "nothing between"),
        ("é", "hex", "0-9 a-f"),
        ("\ud800", "utf8", "whole characters"),
    ],
)
def test_what_is_not_in_its_encoding_is_refused(text: str, encoding: Encoding, word: str) -> None:
    with pytest.raises(TextRefused) as caught:
        decode(text, encoding)
    assert word in caught.value.remedy


@pytest.mark.parametrize("text", ["a+bc", "a/bc", "a", "a b", "é"])
def test_what_is_no_base64url_is_refused(text: str) -> None:
    with pytest.raises(TextRefused):
        read_digest(text, "base64url")
