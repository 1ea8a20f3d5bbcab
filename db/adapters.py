"""Values as PostgreSQL writes them: text in, text out, nothing interpreted on the way."""

from types import NoneType

from psycopg.adapt import AdaptersMap
from psycopg.types.none import NoneDumper
from psycopg.types.string import StrDumperUnknown, TextLoader


def text_adapters() -> AdaptersMap:
    """Return adapters by which every result value loads as `str`, NULL as None.

    Parameters are `str` or None and go out without a type, so that PostgreSQL infers it, as for a
    quoted literal.  psycopg replaces both classes by its C versions; oid 0 stands for every type.
    """
    adapters = AdaptersMap()
    adapters.register_dumper(str, StrDumperUnknown)
    adapters.register_dumper(NoneType, NoneDumper)
    adapters.register_loader(0, TextLoader)
    return adapters
