"""What a query may not name, though PostgreSQL would let the reader.

Functions that reach beyond the query: to other sessions, to settings (a deadline could be lifted),
to locks and messages that outlive it, to files and other servers, to SQL in a text, which nobody
has vetted; and whatever tells of tables in other schemas.  The reader's rights stop most of these
as well; the lists give the clearer answer, and cover what no right can be taken from.
docs/database.md says which is stopped by what.

The lists match names, wherever a function of that name comes from.
"""

import re
from collections.abc import Sequence

from query.errors import StatementRefused
from query.lexer import Token

FORBIDDEN = re.compile(
    r"""(
        set_config | current_setting | setseed | current_query
      | (query|table|cursor|schema|database)_to_xml.* | ts_stat | ts_rewrite
      | lo_.* | loread | lowrite | nextval | setval | currval | lastval | currtid2?
      | txid_current | txid_status | inet_(client|server)_(addr|port)
      | to_reg.* | has_\w+_privilege | row_security_active | (col|obj|shobj)_description
      | format_type | oidvectortypes | amvalidate | aclexplode
      | binary_upgrade_.* | brin_.* | gin_clean_pending_list
      | dblink.* | postgres_fdw_.* | pgstat.* | pgrowlocks | crosstab.* | connectby
      | xpath_(table|nodeset|list|string|number|bool) | http | http_.* | plpgsql_.*
    )""",
    re.VERBOSE,
)
# of the names that PostgreSQL keeps for itself, those that are functions of their arguments alone,
# or tell of the query itself
ALLOWED_PG = frozenset({
    "pg_backend_pid", "pg_char_to_encoding", "pg_client_encoding", "pg_collation_for",
    "pg_column_compression", "pg_column_size", "pg_current_snapshot", "pg_encoding_max_length",
    "pg_encoding_to_char", "pg_input_error_info", "pg_input_is_valid", "pg_lsn",
    "pg_size_bytes", "pg_size_pretty", "pg_snapshot_xip", "pg_snapshot_xmax", "pg_snapshot_xmin",
    "pg_trigger_depth", "pg_typeof", "pg_visible_in_snapshot", "pg_wal_lsn_diff",
})  # fmt: skip
TYPES = frozenset({"pg_lsn", "pg_snapshot"})
# they read the catalog: a number or a text becomes the name of a thing that exists
CATALOG_TYPES = frozenset({
    "regclass", "regcollation", "regnamespace", "regoper", "regoperator", "regproc",
    "regprocedure", "regrole", "regtype",
})  # fmt: skip
PARTITION_OF_ROW = ["tableoid", ":", ":", "regclass"]


def refuse_forbidden(tokens: Sequence[Token]) -> None:
    """Raise StatementRefused for the first name in `tokens` that is forbidden."""
    for place, token in enumerate(tokens):
        kind, text, _ = token
        if kind not in ("word", "name"):
            continue
        if _follows(tokens, place, "("):
            _refuse_function(token)
        elif _is_of_catalog(text) and not (text == "pg_catalog" and _follows(tokens, place, ".")):
            raise StatementRefused(
                f"The name {text} is not allowed: names that begin with pg_ are "
                "PostgreSQL's own catalog.",
                "information_schema.tables and information_schema.columns tell of tables.",
                position=token.offset + 1,
            )
        if text in CATALOG_TYPES and not (
            _texts(tokens, place - 3, place + 1) == PARTITION_OF_ROW
            and _tableoid_is_only_told(tokens)
        ):
            raise StatementRefused(
                f"The type {text} is not allowed: it reads PostgreSQL's catalog.",
                "Only tableoid::regclass is; information_schema tells of tables.",
                position=token.offset + 1,
            )


def _refuse_function(token: Token) -> None:
    # no function of PostgreSQL has capitals; a quoted name of somebody else's may differ in case
    name = token.text.lower()
    is_forbidden = (
        name not in ALLOWED_PG if name.startswith("pg_") else FORBIDDEN.fullmatch(name) is not None
    )
    if is_forbidden:
        raise StatementRefused(
            f"The function {name} is not allowed: it reaches beyond the query.",
            "Remove it.",
            position=token.offset + 1,
        )


def _is_of_catalog(name: str) -> bool:
    return name.startswith("pg_") and name not in TYPES


def _follows(tokens: Sequence[Token], place: int, mark: str) -> bool:
    return place + 1 < len(tokens) and tokens[place + 1].is_mark(mark)


def _tableoid_is_only_told(tokens: Sequence[Token]) -> bool:
    """Tell whether each `tableoid` is in `tableoid::regclass`: which partition a row is from.

    Where it occurs in another way, something else may be called so, and be any number.
    """
    return all(
        _texts(tokens, place, place + 4) == PARTITION_OF_ROW
        for place, token in enumerate(tokens)
        if token.is_identifier and token.text == "tableoid"
    )


def _texts(tokens: Sequence[Token], start: int, end: int) -> list[str]:
    return [token.text for token in tokens[max(0, start) : end]]
