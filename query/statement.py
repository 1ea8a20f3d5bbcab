"""One statement that only reads: parsed, vetted, and kept for the next time."""

import logging
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from query.dialect import FaithfulPostgres, render
from query.errors import StatementRefused
from query.forbidden import called_names, calls_schemas, refuse_forbidden
from query.lexer import Lexed, Token, lex
from query.vetting import refuse_nesting, refuse_other_than_one_read

WRITES = (
    exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Create, exp.Drop, exp.Alter, exp.Command,
    exp.Copy, exp.Set, exp.TruncateTable, exp.Transaction, exp.Commit, exp.Rollback, exp.Into,
)  # fmt: skip
# Our parser takes about 25 µs a token, and holds the interpreter's lock meanwhile.
MOST_TOKENS_READ = 5_000
# Its time grows with the square of the subscripts in a row, 10 ms for these.
MOST_SUBSCRIPTS_READ = 16
# Writing and copying trees recurses, several calls a level; Python allows 1,000 calls in all.
DEEPEST_READ = 100

# A tree takes up to 1 kB for each character of the text: this bounds what is kept to 200 MB.
MOST_KEPT = 200_000
LONGEST_KEPT = 20_000
# its errors, and what its code meets where it did not expect a text
UNREADABLE = (
    SqlglotError, RecursionError, ValueError, TypeError, AttributeError, LookupError,
    AssertionError,
)  # fmt: skip

# sqlglot logs each statement that it does not understand; PostgreSQL explains those better
logging.getLogger("sqlglot").setLevel(logging.ERROR)


@dataclass(frozen=True)
class TableName:
    """A table as the query names it; `schema` is None where the query leaves it out."""

    schema: str | None
    name: str


@dataclass(frozen=True)
class Statement:
    """A vetted statement.  `tree` is shared by all who ask for the same text: copy, then change.

    `tables` are the tables read anywhere in it, common table expressions left out; `called` the
    names that stand before a parenthesis, functions among them, in lower case.
    `parameter_count` is the highest n of its `$n`.

    `unread` says why our parser did not read it; PostgreSQL may, and then it runs whole.  Its tree
    is a command that holds the text, and `tables` is empty.

    `leaves_schema` tells that it may name things in other schemas than the exposed one.
    """

    sql: str
    tree: exp.Expr
    tables: tuple[TableName, ...]
    called: frozenset[str]
    parameter_count: int
    unread: str | None = None
    leaves_schema: bool = False


class Parser:
    """Parses and vets statements; the newest `cache_size` texts, if not long, are kept parsed.

    Statements longer than `max_length` characters, or nested deeper than `max_depth` levels of
    brackets and CASE, are refused before any work is spent on them.  `schema` is the exposed one.
    """

    def __init__(
        self, *, cache_size: int, max_length: int, max_depth: int, schema: str = "public"
    ) -> None:
        self._cache: OrderedDict[str, Statement] = OrderedDict()
        self._cache_size = cache_size
        self._max_length = max_length
        self._max_depth = max_depth
        self._schemas = frozenset({schema, "pg_catalog", "information_schema"})

    def parse(self, sql: str) -> Statement:
        """Return the vetted statement.  Raises SyntaxRefused and StatementRefused."""
        kept = self._cache.get(sql)
        if kept is not None:
            with suppress(KeyError):  # another thread may just have dropped it
                self._cache.move_to_end(sql)
            return kept
        if len(sql) > self._max_length:
            raise StatementRefused(
                f"The statement has {len(sql)} characters, and {self._max_length} are allowed.",
                "Shorten it; long lists of values belong in a table or in parameters.",
            )
        lexed = lex(sql)
        refuse_other_than_one_read(lexed.tokens)
        refuse_nesting(lexed.tokens, self._max_depth)
        refuse_forbidden(lexed.tokens)
        statement = self._read(sql, lexed)
        if len(sql) <= LONGEST_KEPT:
            self._cache[sql] = statement
        while len(self._cache) > self._cache_size or _length(self._cache) > MOST_KEPT:
            with suppress(KeyError):
                self._cache.popitem(last=False)
        return statement

    def _read(self, sql: str, lexed: Lexed) -> Statement:
        called = frozenset(called_names(lexed.tokens))
        count = _parameter_count(lexed.tokens)
        named = {
            token.text
            for token, dot in pairwise(lexed.tokens)
            if token.is_identifier and dot.is_mark(".")
        }
        tree = _read_tree(lexed)
        if isinstance(tree, str):
            leaves = not named <= self._schemas
            return Statement(sql, exp.Command(this=sql), (), called, count, tree, leaves)
        _refuse_writes(tree)
        # what we write may hold calls that the user spelt otherwise
        called |= frozenset(called_names(lex(render(tree)).tokens))
        tables = _tables(tree)
        # an alias occurs without a dot behind it at least once, where it is given
        never_alone = named - {
            token.text
            for token, after in zip(lexed.tokens, [*lexed.tokens[1:], None], strict=True)
            if token.is_identifier and (after is None or not after.is_mark("."))
        }
        schemas = {table.schema for table in tables if table.schema is not None}
        schemas |= never_alone.union(calls_schemas(lexed.tokens))
        return Statement(
            sql, tree, tables, called, count, leaves_schema=not schemas <= self._schemas
        )


def _length(texts: Iterable[str]) -> int:
    return sum(map(len, list(texts)))  # a list first: other threads keep and drop meanwhile


def _read_tree(lexed: Lexed) -> exp.Expr | str:
    """Return the tree, or why there is none."""
    if len(lexed.tokens) > MOST_TOKENS_READ:
        return f"it has more than {MOST_TOKENS_READ} tokens"
    texts = [token.text for token in lexed.tokens if token.kind == "mark"]
    subscripts = sum(one == "]" and two == "[" for one, two in pairwise(texts))
    if subscripts > MOST_SUBSCRIPTS_READ:
        return "it has too many subscripts"
    try:
        trees = sqlglot.parse(lexed.text, dialect=FaithfulPostgres)
        kept = [tree for tree in trees if tree is not None and not isinstance(tree, exp.Semicolon)]
    except UNREADABLE:  # PostgreSQL can tell what is wrong, if anything is
        return "our parser cannot read it"
    if len(kept) != 1:
        return "our parser cannot read it"
    if _is_deep(kept[0]):
        return f"it nests more than {DEEPEST_READ} levels"
    return kept[0]


def _is_deep(tree: exp.Expr) -> bool:
    level: list[exp.Expr] = [tree]
    for _ in range(DEEPEST_READ):
        level = [child for node in level for child in node.iter_expressions()]
        if not level:
            return False
    return True


def _refuse_writes(tree: exp.Expr) -> None:
    for node in tree.walk():
        if isinstance(node, WRITES):
            what = "SELECT … INTO" if isinstance(node, exp.Into) else node.key.upper()
            raise StatementRefused(
                f"{what} inside the query is not allowed: only queries that read are.",
                "Remove it.",
            )
        if isinstance(node, exp.Lock):
            raise StatementRefused(
                "FOR UPDATE and FOR SHARE are not allowed: they write row locks.",
                "Remove the locking clause.",
            )


def _tables(tree: exp.Expr) -> tuple[TableName, ...]:
    with_names = {identifier(cte.args["alias"].this) for cte in tree.find_all(exp.CTE)}
    found: dict[TableName, None] = {}
    for table in tree.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier):
            continue  # a function in FROM
        schema = identifier(table.args["db"]) if table.args.get("db") else None
        name = TableName(schema, identifier(table.this))
        if schema is not None or name.name not in with_names:
            found[name] = None
    return tuple(found)


def _parameter_count(tokens: Sequence[Token]) -> int:
    # the protocol allows 65,535: a number of many digits would take its time to read
    numbers = [token.text[:6] for token in tokens if token.kind == "parameter"]
    return max(map(int, numbers), default=0)


def identifier(node: exp.Expr) -> str:
    """Return the name that an identifier means: folded to lower case unless it is quoted."""
    name = str(node.this)
    return name if node.args.get("quoted") else name.lower()
