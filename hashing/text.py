"""Bytes as text: what clients send, and what they get back."""

import base64
import binascii
from typing import Literal

from hashing.errors import TextRefused

Encoding = Literal["utf8", "base64", "hex"]
Output = Literal["hex", "base64", "base64url"]

_BASE64 = "Use the alphabet A-Z a-z 0-9 + / with = padding, without line breaks."
_BASE64URL = "Use the alphabet A-Z a-z 0-9 - _; padding with = may be left out."
_HEX = "Use an even number of the digits 0-9 a-f A-F, nothing between them."


def decode(text: str, encoding: Encoding) -> bytes:
    """Return the bytes that `text` stands for.  Raises TextRefused.

    `utf8`: the text's own; `base64`: RFC 4648, section 4, padded; `hex`: section 8, either case.
    """
    try:
        if encoding == "utf8":
            return text.encode()
        if encoding == "hex":
            return binascii.unhexlify(text)
        return base64.b64decode(text, validate=True)
    except UnicodeEncodeError as error:
        raise TextRefused(
            f"Character {error.start} is half of a surrogate pair, which UTF-8 cannot hold.",
            "Send whole characters, or the bytes as base64.",
        ) from error
    except ValueError as error:
        remedy = _HEX if encoding == "hex" else _BASE64
        raise TextRefused(f"This is not valid {encoding}: {error}.", remedy) from error


def encode(data: bytes, output: Output) -> str:
    """Return `data` as text: lower-case hex, padded base64, or base64url without padding."""
    if output == "hex":
        return data.hex()
    if output == "base64":
        return base64.b64encode(data).decode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def read_digest(text: str, output: Output) -> bytes:
    """Return the bytes of a digest that `encode` wrote.  Raises TextRefused."""
    if output != "base64url":
        return decode(text, output)
    try:
        standard = text.rstrip("=").translate(_TO_STANDARD)
        return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except ValueError as error:
        raise TextRefused(f"This is not valid base64url: {error}.", _BASE64URL) from error


# `+` and `/` are turned into what no alphabet has: they are not part of base64url
_TO_STANDARD = str.maketrans("-_+/", "+/!!")
