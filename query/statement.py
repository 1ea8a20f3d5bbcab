"""One statement that only reads: parsed, vetted, and kept for the next time."""

import logging
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from sqlglot import exp
from sqlglot.errors import SqlglotError

from query.dialect import DIALECT, render
from query.errors import StatementRefused
from query.forbidden import refuse_forbidden
from query.lexer import Lexed, lex
from query.names import names_of
from query.trees import levels, without_positions
from query.vetting import refuse_nesting, refuse_other_than_one_read

WRITES = (
    exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Create, exp.Drop, exp.Alter, exp.Command,
    exp.Copy, exp.Set, exp.TruncateTable, exp.Transaction, exp.Commit, exp.Rollback, exp.Into,
)  # fmt: skip
KINDS = (exp.Table, exp.CTE, exp.Lock)
_kinds: dict[str, type[exp.Expr] | None] = {}  # by class: asked of every node of every query
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

    `tables` are the tables read anywhere in it, common table expressions left out; `spelt_calls`
    the names that stand before a parenthesis, functions among them, in lower case.
    `parameter_count` is the highest n of its `$n`.

    `unread` says why our parser did not read it; PostgreSQL may, and then it runs whole.  Its tree
    is a command that holds the text, and `tables` is empty.

    `leaves_schema` tells that it may name things in other schemas than the exposed one, and
    `leaves_for_tables` that tables, functions or columns of tables may be among them.
    """

    sql: str
    tree: exp.Expr
    tables: tuple[TableName, ...]
    spelt_calls: frozenset[str]
    parameter_count: int
    unread: str | None = None
    leaves_schema: bool = False
    leaves_for_tables: bool = False

    @cached_property
    def written(self) -> str:
        """The text that `tree` is written as; not known before it is needed, since it costs."""
        return self.sql if self.unread is not None else render(self.tree)

    @cached_property
    def called(self) -> frozenset[str]:
        """All names that are called: what we write may hold calls that the user spelt otherwise."""
        return self.spelt_calls | names_of(lex(self.written).tokens).called


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
        names = names_of(lexed.tokens)
        tree = _read_tree(lexed)
        if isinstance(tree, str):
            leaves = not names.before_dot <= self._schemas
            command = exp.Command(this=sql)
            return Statement(sql, command, (), names.called, names.parameters, tree, leaves, leaves)
        tables = _vetted_tables(tree)
        sure = {table.schema for table in tables if table.schema is not None}
        sure |= names.called_schemas
        # an alias occurs without a dot behind it at least once, where it is given
        schemas = sure | (names.before_dot - names.alone)
        return Statement(
            sql, tree, tables, names.called, names.parameters,
            leaves_schema=not schemas <= self._schemas,
            leaves_for_tables=not sure | names.before_two_dots <= self._schemas,
        )  # fmt: skip


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
        trees = DIALECT.parse(lexed.text)
        kept = [tree for tree in trees if tree is not None and not isinstance(tree, exp.Semicolon)]
    except UNREADABLE:  # PostgreSQL can tell what is wrong, if anything is
        return "our parser cannot read it"
    if len(kept) != 1:
        return "our parser cannot read it"
    if _is_deep(kept[0]):
        return f"it nests more than {DEEPEST_READ} levels"
    return without_positions(kept[0])


def _is_deep(tree: exp.Expr) -> bool:
    return any(number >= DEEPEST_READ for number, _ in enumerate(levels(tree)))


def _vetted_tables(tree: exp.Expr) -> tuple[TableName, ...]:
    """Return the tables that `tree` reads.  Raises StatementRefused for what writes."""
    with_names: set[str] = set()
    read: dict[TableName, None] = {}
    for level in levels(tree):
        for node in level:
            kind = _kind(node)
            if kind is exp.Table and isinstance(node.this, exp.Identifier):  # else a function
                schema = identifier(node.args["db"]) if node.args.get("db") else None
                read[TableName(schema, identifier(node.this))] = None
            elif kind is exp.CTE:
                with_names.add(identifier(node.args["alias"].this))
            elif kind in (exp.Command, exp.Lock):
                _refuse_write(node)
    return tuple(
        table for table in read if table.schema is not None or table.name not in with_names
    )


def _kind(node: exp.Expr) -> type[exp.Expr] | None:
    """Return what a node is to us: a table, a CTE, a lock, or a command that writes."""
    name = type(node).__name__
    if name not in _kinds:
        of = (kind for kind in KINDS if isinstance(node, kind))
        _kinds[name] = exp.Command if isinstance(node, WRITES) else next(of, None)
    return _kinds[name]


def _refuse_write(node: exp.Expr) -> None:
    if isinstance(node, exp.Lock):
        raise StatementRefused(
            "FOR UPDATE and FOR SHARE are not allowed: they write row locks.",
            "Remove the locking clause.",
        )
    what = "SELECT … INTO" if isinstance(node, exp.Into) else node.key.upper()
    raise StatementRefused(
        f"{what} inside the query is not allowed: only queries that read are.", "Remove it."
    )


def identifier(node: exp.Expr) -> str:
    """Return the name that an identifier means: folded to lower case unless it is quoted."""
    name = str(node.this)
    return name if node.args.get("quoted") else name.lower()
