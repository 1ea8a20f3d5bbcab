"""A PostgreSQL dialect for sqlglot that writes what it read.

sqlglot's own dialect maps function names onto a common vocabulary, so that `mod(a, b)` comes back
as `a % b` and `round(x, 2)` gains a cast: right when translating between databases, wrong here,
where PostgreSQL must see the user's own expression.  This dialect knows only the functions that
planning looks into; all others stay calls by their own name.
"""

from typing import ClassVar

from sqlglot import exp
from sqlglot.dialects.postgres import Postgres
from sqlglot.generators.postgres import PostgresGenerator
from sqlglot.parsers.postgres import PostgresParser

from query.trees import copied

UNDERSTOOD = ("AVG", "COALESCE", "COUNT", "GREATEST", "LEAST", "MAX", "MIN", "NULLIF", "SUM")
SPELT_WITH_WORDS = (
    "CAST", "EXTRACT", "JSON_OBJECT", "JSON_TABLE", "JSON_VALUE", "OVERLAY", "POSITION",
    "SUBSTRING", "TRIM", "XMLELEMENT", "XMLTABLE",
)  # fmt: skip


class FaithfulPostgres(Postgres):
    """PostgreSQL, read and written back without translation."""

    class Parser(PostgresParser):
        """Leaves functions that planning does not look into as they are."""

        FUNCTIONS: ClassVar = {
            name: build for name, build in PostgresParser.FUNCTIONS.items() if name in UNDERSTOOD
        }
        # those with a syntax of their own: words instead of commas between the arguments
        FUNCTION_PARSERS: ClassVar = {
            name: parse
            for name, parse in PostgresParser.FUNCTION_PARSERS.items()
            if name in SPELT_WITH_WORDS
        }
        NO_PAREN_FUNCTION_PARSERS: ClassVar = {
            name: parse
            for name, parse in PostgresParser.NO_PAREN_FUNCTION_PARSERS.items()
            if name in ("ANY", "CASE")
        }

    class Generator(PostgresGenerator):
        """Writes DISTINCT over several arguments of an aggregate as it was read."""

        MULTI_ARG_DISTINCT = True

        def windowspec_sql(self, expression: exp.WindowSpec) -> str:
            """Write a frame that was given by its start alone so, as PostgreSQL remembers it."""
            if expression.args.get("end") is not None:
                return super().windowspec_sql(expression)
            parts = [self.sql(expression, part) for part in ("kind", "start", "start_side")]
            exclude = self.sql(expression, "exclude")
            return " ".join([*filter(None, parts), *(["EXCLUDE", exclude] if exclude else [])])


DIALECT = FaithfulPostgres()  # made once: it takes longer to make than to write a small tree


def render(tree: exp.Expr) -> str:
    """Return the SQL text of `tree`."""
    return written_over(copied(tree))


def written_over(tree: exp.Expr) -> str:
    """Return the SQL text of `tree`, which nobody may use afterwards: writing may change it."""
    return DIALECT.generator(normalize_functions=False).generate(tree, copy=False)
