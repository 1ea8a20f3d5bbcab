"""Names of tables as people write them: `table`, `schema.table`, with quotes where they need be."""

import re

from db.tracking.errors import NameMalformed

_PART = r'(?:"(?:[^"]|"")+"|[^".]+)'
_NAME = re.compile(rf"(?:({_PART})\.)?({_PART})")
_MOST_BYTES = 63  # of a name in PostgreSQL


def parse_name(text: str, schema: str) -> tuple[str, str]:
    """Return schema and table; `schema` is that of names without one.

    Letters count as they are; in double quotes, which are doubled within, a dot is a dot.  Raises
    NameMalformed.
    """
    found = _NAME.fullmatch(text)
    parts = [schema, ""] if found is None else [found[1] or schema, found[2]]
    names = [_unquoted(part) for part in parts]
    if any("\0" in name or not 0 < len(name.encode()) <= _MOST_BYTES for name in names):
        raise NameMalformed(
            f"{text!r} is no name of a table. Write table or schema.table, with a part that has a "
            'dot in double quotes: public."odd.name".'
        )
    return names[0], names[1]


def written_name(schema: str, table: str) -> str:
    """Return the name as `parse_name` reads it."""
    return ".".join(
        '"' + part.replace('"', '""') + '"' if re.search(r'[".]', part) else part
        for part in (schema, table)
    )


def _unquoted(part: str) -> str:
    return part[1:-1].replace('""', '"') if part.startswith('"') else part
