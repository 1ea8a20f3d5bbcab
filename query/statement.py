"""One statement that only reads: parsed, vetted, and kept for the next time."""

import logging
import re
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

from query.dialect import FaithfulPostgres, render
from query.errors import StatementRefused, SyntaxRefused
from query.forbidden import forbidden_call

CALL = re.compile(r"(\w+)\s*\(")
READS = (exp.Select, exp.SetOperation, exp.Values, exp.Subquery)
WRITES = (
    exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Create, exp.Drop, exp.Alter, exp.Command,
    exp.Copy, exp.Set, exp.TruncateTable, exp.Transaction, exp.Commit, exp.Rollback, exp.Into,
)  # fmt: skip

# sqlglot logs each statement that it does not understand; we refuse those with a reason instead
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
    """

    sql: str
    tree: exp.Expr
    tables: tuple[TableName, ...]
    called: frozenset[str]
    parameter_count: int


class Parser:
    """Parses and vets statements; the newest `cache_size` texts are kept parsed.

    Statements longer than `max_length` characters, or nested deeper than `max_depth` levels of
    parentheses, are refused before any work is spent on them.
    """

    def __init__(self, *, cache_size: int, max_length: int, max_depth: int) -> None:
        self._cache: OrderedDict[str, Statement] = OrderedDict()
        self._cache_size = cache_size
        self._max_length = max_length
        self._max_depth = max_depth

    def parse(self, sql: str) -> Statement:
        """Return the vetted statement.  Raises SyntaxRefused and StatementRefused."""
        kept = self._cache.get(sql)
        if kept is not None:
            with suppress(KeyError):  # another thread may just have dropped it
                self._cache.move_to_end(sql)
            return kept
        self._measure(sql)
        statement = _vet(sql, _parse(sql))
        self._cache[sql] = statement
        while len(self._cache) > self._cache_size:
            with suppress(KeyError):
                self._cache.popitem(last=False)
        return statement

    def _measure(self, sql: str) -> None:
        if len(sql) > self._max_length:
            raise StatementRefused(
                f"The statement has {len(sql)} characters, and {self._max_length} are allowed.",
                "Shorten it; long lists of values belong in a table or in parameters.",
            )
        if "\x00" in sql:
            raise SyntaxRefused("The statement contains a null character.", "Remove it.")
        depth = deepest = 0
        for character in sql:
            if character == "(":
                depth += 1
                deepest = max(deepest, depth)
            elif character == ")":
                depth -= 1
        if deepest > self._max_depth:
            raise StatementRefused(
                f"The statement nests {deepest} levels of parentheses, and {self._max_depth} are "
                "allowed.",
                "Flatten it.",
            )


def _parse(sql: str) -> list[exp.Expr | None]:
    try:
        return list(sqlglot.parse(sql, dialect=FaithfulPostgres))
    except ParseError as error:
        first = error.errors[0] if error.errors else {}
        position = _position(sql, first.get("line"), first.get("col"))
        near = str(first.get("highlight") or "").strip()
        what = re.sub(
            r"<class '.*\.(\w+)'>", r"\1", str(first.get("description") or "Syntax error")
        )
        where = f" near {near!r}" if near else ""
        raise SyntaxRefused(f"{what.rstrip('.')}{where}.", "", position=position) from error
    except (TokenError, RecursionError) as error:
        raise SyntaxRefused(
            "The statement cannot be read: a quote or comment is not closed, or it nests too deep.",
            "Close what is open.",
        ) from error


def _position(sql: str, line: int | None, column: int | None) -> int | None:
    if line is None or column is None:
        return None
    before = sum(len(text) + 1 for text in sql.split("\n")[: line - 1])
    return max(1, min(before + column, len(sql)))


def _vet(sql: str, parsed: list[exp.Expr | None]) -> Statement:
    trees = [tree for tree in parsed if tree is not None and not isinstance(tree, exp.Semicolon)]
    if not trees:
        raise StatementRefused(
            "There is no statement.", "Give one SELECT, WITH … SELECT or VALUES."
        )
    if len(trees) > 1:
        raise StatementRefused(
            f"There are {len(trees)} statements, and exactly one is allowed.",
            "Send them one by one, or combine them with WITH or UNION.",
        )
    tree = trees[0]
    if not isinstance(tree, READS):
        raise StatementRefused(
            f"{_kind(tree, sql)} is not allowed: only queries that read are.",
            "Give one SELECT, WITH … SELECT or VALUES.",
        )
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
    forbidden = forbidden_call(tree)
    if forbidden is not None:
        raise StatementRefused(
            f"The function {forbidden} is not allowed: it reaches beyond the query.", "Remove it."
        )
    called = frozenset(name.lower() for name in CALL.findall(render(tree)))
    return Statement(sql, tree, _tables(tree), called, _parameter_count(tree))


def _kind(tree: exp.Expr, sql: str) -> str:
    first = re.match(r"\s*(?:--[^\n]*\n\s*|/\*.*?\*/\s*)*(\w+)", sql, re.DOTALL)
    return first.group(1).upper() if first else tree.key.upper()


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


def _parameter_count(tree: exp.Expr) -> int:
    numbers = [int(node.this.this) for node in tree.find_all(exp.Parameter) if node.this.is_int]
    return max(numbers, default=0)


def identifier(node: exp.Expr) -> str:
    """Return the name that an identifier means: folded to lower case unless it is quoted."""
    name = str(node.this)
    return name if node.args.get("quoted") else name.lower()
