"""What PostgreSQL says of a file, said so that one finds the place and the remedy."""

import re

import psycopg

from cli.errors import LoadRefused
from cli.loading.source import Source

# "COPY numbers, line 3, column n: "abc"", as CopyFromErrorCallback of PostgreSQL writes it
_PLACE = re.compile(
    r"^COPY .*?, line (?P<line>\d+)(?:, column (?P<column>.*?))?"
    r"(?:: (?P<value>\".*\"|null input))?$",
    re.DOTALL | re.MULTILINE,
)

_REMEDIES = {
    "22P02": "Correct the value, or give the column another type: --type {column}=text",
    "22007": "Correct the value, or give the column another type: --type {column}=text",
    "22008": "Correct the value, or give the column another type: --type {column}=text",
    "22003": "Give the column a wider type: --type {column}=numeric",
    "22001": "Give the column a wider type: --type {column}=text",
    "22P04": "Check the delimiter (--delimiter), the quotes, and empty lines.",
    "22021": "PostgreSQL takes only UTF-8 without zero bytes. Convert the file.",
    "23502": "The table wants a value in that column.",
    "23505": "Such a row is in the table already, or twice in the file.",
    "2BP01": "Other objects depend on the table; drop them first, or append.",
    "42501": "Let the owner of the schema load, or grant CREATE on it.",
    "53100": "The disk is full. Make room.",
    "55P03": "Somebody else holds the table locked. Try again when they are done.",
}


def refusal(error: psycopg.Error, source: Source) -> LoadRefused:
    """Translate an error of the load; the file's name, line, column, value, and what to do."""
    what = (error.diag.message_primary or str(error)).strip()
    place = source.path
    column = "COLUMN"
    found = _PLACE.search(error.diag.context or "")
    if found:
        place += f", {source.line_word} {found['line']}"
        if found["column"]:
            column = found["column"]
            place += f', column "{column}"'
        if found["value"] and found["value"].strip('"') not in what:
            value = found["value"]
            what += f" (value: {value[:200]})"
    remedy = _REMEDIES.get(error.sqlstate or "", "").format(column=column)
    sentences = (f"{place}: {what}", remedy, "Nothing was loaded")
    return LoadRefused(" ".join(f"{one.rstrip('.')}." for one in sentences if one))
