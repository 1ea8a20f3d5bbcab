"""What a query means: asked of PostgreSQL, and compared with how we read it."""

from collections.abc import Sequence

from app.queries.catalog_reader import CatalogReader
from app.queries.errors import RunWhole
from app.queries.request import QueryInput
from app.queries.sql_error import translated
from app.queries.transaction import Described, ReadTransaction
from db.questions import Rows
from query.canonical import BoundSql, chosen
from query.catalog import Catalog
from query.explained import Explained
from query.fragment import ColumnType
from query.statement import Statement
from query.types import TypeFact
from query.views import expanded

EXPLAIN = "EXPLAIN (FORMAT JSON, VERBOSE) "
DEEPEST_VIEWS = 4
READINGS = 3


class QueryReader:
    """Asks within the query's own transaction."""

    def __init__(self, catalog: CatalogReader) -> None:
        self._catalog = catalog

    def explain(
        self,
        transaction: ReadTransaction,
        sql: str,
        params: Sequence[str | None],
        reads: Statement | None = None,
    ) -> Explained:
        """Return PostgreSQL's plan of the whole query.  Raises SqlError for wrong SQL.

        For a statement that `reads` the catalog later, too, that comes in the same round trip.
        """
        asked = Rows(EXPLAIN + sql, params)
        with translated(EXPLAIN):
            if reads is None:
                ((text,),) = transaction.rows(asked.sql, asked.parameters)
            else:
                (((text,),),) = self._catalog.ask(transaction, reads, sql, asked)
        return Explained.parse(text or "")

    def views(
        self, transaction: ReadTransaction, statement: Statement, sql: str
    ) -> tuple[Statement, Catalog, Described]:
        """Return the statement with its views read as subqueries, and the facts about the rest.

        The description is that of the user's own text `sql`.
        """
        catalog, described = self._catalog.catalog(transaction, statement, sql)
        for _ in range(DEEPEST_VIEWS):
            opened = expanded(statement, catalog)
            if opened is None:
                break
            statement = opened
            catalog, described = self._catalog.catalog(transaction, statement, sql)
        return statement, catalog, described

    def parameter_types(
        self, transaction: ReadTransaction, described: Described
    ) -> tuple[str, ...]:
        """Return the types of the parameters, as `format_type` names them."""
        columns = [ColumnType(oid, -1, "") for oid in described.parameters]
        return tuple(fact.base_name for fact in self._catalog.type_facts(transaction, columns))

    def check(
        self,
        transaction: ReadTransaction,
        whole: BoundSql,
        probe: BoundSql,
        query: QueryInput,
        explained: Explained,
    ) -> Described:
        """Let PostgreSQL plan the query as we understood it: the plans must be the same.

        `whole` is that; returns the description of `probe`, which comes in the same round trip.
        Estimates are in the plans, and change while a table grows, so a difference is looked at
        again.  Raises RunWhole.
        """
        theirs = explained.text
        for _ in range(READINGS):
            ((((text,),),), described) = transaction.ask(
                Rows(EXPLAIN + whole.sql, chosen(whole, query.params)),
                describing=probe.sql,
            )
            ours = Explained.parse(text or "").text
            if ours == theirs:
                return described
            theirs = self.explain(transaction, query.sql, query.params).text
            if ours == theirs:
                return described
        raise RunWhole("PostgreSQL reads it differently than our parser")

    def partial_types(
        self,
        transaction: ReadTransaction,
        probe: BoundSql,
        described: Described,
        values: Sequence[str | None],
    ) -> list[TypeFact]:
        """Return the facts about the columns of `probe`, with their collations.

        `values` are those of all parameters that it may name.  Raises RunWhole.
        """
        facts = self._catalog.type_facts(transaction, described.columns)
        given = chosen(probe, values)
        return self._catalog.with_collations(transaction, facts, probe.sql, given)
