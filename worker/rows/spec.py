"""What the parameters of a job ask for: how rows are encoded, and how they are hashed."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

from hashing.digester import Digester
from hashing.errors import HashingError
from hashing.one_shot import one_shot
from hashing.options import Options, construction
from hashing.text import Output, encode
from jobs.errors import PermanentFailure
from jobs.hash_keys import fingerprint

RowEncoding = Literal["canonical", "raw", "value"]

MOST_SAID = 50  # names of columns, in an error

_CHECKED = b"abc"


@dataclass(frozen=True)
class CsvOptions:
    """How a CSV is written; `quote` None: there are none, `null`: a bare cell that means NULL."""

    delimiter: str = ","
    quote: str | None = '"'
    header: bool = True
    encoding: str = "utf-8"
    null: str | None = None


@dataclass(frozen=True)
class FileSpec:
    """How a file's rows become bytes.  `columns`: names, or positions from 1; None: all."""

    upload: str
    format: Literal["csv", "ndjson", "parquet"]
    compression: Literal["auto", "none", "gzip", "zstd"]
    csv: CsvOptions
    columns: Sequence[str | int] | None
    row_encoding: RowEncoding

    @property
    def encoding(self) -> str:
        """Return the encoding of the file's text."""
        return self.csv.encoding if self.format == "csv" else "utf-8"

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> Self:
        """Read what the ledger keeps of a job."""
        return cls(
            kept["upload"],
            kept["format"],
            kept["compression"],
            CsvOptions(**(kept["csv"] or {})),
            kept["columns"],
            kept["row_encoding"],
        )


def checked_names(known: Sequence[str], wanted: Iterable[str]) -> list[str]:
    """Return the names of columns.  Raises PermanentFailure for one that is not there once."""
    names = list(wanted)
    for name in names:
        if known.count(name) != 1:
            there = ", ".join(known[:MOST_SAID]) + (" …" if len(known) > MOST_SAID else "")
            times = "no column" if name not in known else "more than one column"
            raise PermanentFailure(f"There is {times} {name!r} in: {there}", "ColumnUnknown")
    return names


class RowDigester:
    """Digests of rows as the job wants them written.

    Raises PermanentFailure where its key is not in this worker's settings, or is another one than
    when the job was accepted: half of its digests would be by another key.
    """

    def __init__(
        self, kept: Mapping[str, Any], keys: Mapping[str, bytes], digester: Digester
    ) -> None:
        wanted = kept["hash"]
        options = Options(
            length=wanted["length"],
            key=_key(wanted, keys),
            hmac=wanted["hmac"],
            salt=_bytes(wanted["salt"]),
            person=_bytes(wanted["person"]),
            context=wanted["context"],
            seed=wanted["seed"],
        )
        known = digester.algorithm(wanted["algorithm"])
        try:
            self._digest = one_shot(known, options, construction(known, options))
        except HashingError as error:
            raise PermanentFailure(str(error), type(error).__name__) from error
        self._output: Output = wanted["output"]
        # the self-test has asked the hashers, not these
        if self._digest(_CHECKED) != digester.digest(known.name, _CHECKED, options):
            raise ArithmeticError(f"two ways to {known.name} do not agree")

    def texts(self, values: Sequence[bytes]) -> list[str]:
        """Return the digest of each value."""
        digest = self._digest
        if self._output == "hex":
            return [digest(value).hex() for value in values]
        return [encode(digest(value), self._output) for value in values]


def _key(wanted: Mapping[str, Any], keys: Mapping[str, bytes]) -> bytes | None:
    name = wanted["key"]
    if name is None:
        return None
    if name not in keys:
        reason = f"This worker knows no key {name!r}: set it in MILLRACE_HASH_KEYS and replay."
        raise PermanentFailure(reason, "KeyUnknown")
    if fingerprint(keys[name]) != wanted["key_fingerprint"]:
        reason = f"The key {name!r} of this worker is not the one that the job was accepted with."
        raise PermanentFailure(reason, "KeyChanged")
    return keys[name]


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)
