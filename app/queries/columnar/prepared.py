"""What was found out about a query over segments, kept as texts for the next time."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlglot import exp

from app.queries.newest import Newest
from query.canonical import BoundSql, bind
from query.catalog import Catalog, Table
from query.columnar.context import Parameter
from query.columnar.errors import NotColumnar
from query.columnar.facts import TableFact
from query.columnar.pieces import Pieces
from query.columnar.pruning import Bound, bounds_of
from query.columnar.render import ColumnarQuery, render_columnar
from query.fragment import ColumnType
from query.merge import Merge
from query.split import KeyedTemplate
from query.statement import Statement, TableName
from query.trees import copied
from query.types import TypeFact

MOST_RENDERED = 8


@dataclass(frozen=True)
class ColumnarQuestion:
    """All that the texts depend on: outputs are called `names`, `$i+1` is of `types[i]`.

    `facts` are of the tables, and `keys` the names of the keys' columns of those that are
    accelerated, by their oids.
    """

    statement: Statement
    names: tuple[str, ...]
    types: tuple[str, ...]
    catalog: Catalog
    facts: Mapping[TableName, TableFact]
    keys: Mapping[int, str]

    def pieces(self) -> Pieces:
        """Take the query apart.  Raises CannotSplit."""
        return Pieces(self.statement, self.names, self.catalog)

    def whole(self) -> BoundSql:
        """Return the query as we understood it."""
        if not self.types:
            return BoundSql(self.statement.written, ())
        return bind(copied(self.statement.tree), self.types)

    def identity(self) -> Hashable:
        """Return what is equal for questions with one answer."""
        return (
            self.statement.sql,
            self.names,
            self.types,
            self.catalog.fingerprint(),
            tuple(tuple(fact.columns.items()) for fact in self.facts.values()),
            tuple(self.keys.items()),
        )


@dataclass(frozen=True)
class Finished:
    """The fragment over all rows with its columns, how partials merge, and what PostgreSQL runs.

    `first_merge` is the merge of the groups alone that a LIMIT or HAVING leaves, where one piece
    may yield those.
    """

    facts: tuple[TypeFact, ...]
    fragment: BoundSql
    columns: tuple[ColumnType, ...]
    every: tuple[TypeFact, ...]
    merge: Merge | None
    keyed: KeyedTemplate | None
    first_merge: Merge | None


@dataclass(frozen=True)
class Rendered:
    """DuckDB's SQL, and which rows of the driving table are not wanted in any case."""

    query: ColumnarQuery
    bounds: tuple[Bound, ...]


@dataclass
class PreparedQuery:
    """The texts; `table` is the driving table, if there is one.

    `confirmed` are PostgreSQL's plans of the user's text, by their digests, that were those of our
    reading, too, each with the columns of the whole query: what has the same plan over the same
    tables is not asked about again.
    """

    whole: BoundSql
    probe: BoundSql
    table: Table | None
    is_columnar_only: bool
    finished: Finished | None = None
    confirmed: Newest[bytes, tuple[ColumnType, ...]] = field(
        default_factory=lambda: Newest(MOST_RENDERED)
    )
    rendered: Newest[Hashable, Rendered | NotColumnar] = field(
        default_factory=lambda: Newest(MOST_RENDERED)
    )

    def render(
        self,
        question: ColumnarQuestion,
        finished: Finished,
        values: Sequence[str | None],
        *,
        first_groups: bool = False,
    ) -> Rendered:
        """Return what to run for these values of the parameters.  Raises NotColumnar.

        With `first_groups` it is one piece, that yields the groups that LIMIT and HAVING leave.
        """
        identity = (finished.facts, tuple(values), first_groups)
        found = self.rendered.get(identity)
        if found is None:
            pieces = question.pieces()
            fragment, _ = pieces.finish(finished.facts, question.types)
            if first_groups:
                fragment = pieces.first_groups(fragment) or fragment
            driving = None if first_groups else pieces.driving
            pairs = zip(question.types, values, strict=True)
            parameters = [Parameter(*pair) for pair in pairs]
            try:
                query = render_columnar(
                    fragment, question.facts, parameters,
                    driving=driving, types=finished.every,
                )  # fmt: skip
                found = Rendered(query, _bounds(question, query, pieces, fragment, parameters))
            except NotColumnar as error:
                found = NotColumnar(error.expression, error.why)  # without the trees
            self.rendered.put(identity, found)
        if isinstance(found, NotColumnar):
            raise NotColumnar(found.expression, found.why)
        return found


def _bounds(
    question: ColumnarQuestion,
    query: ColumnarQuery,
    pieces: Pieces,
    fragment: exp.Select,
    parameters: Sequence[Parameter],
) -> tuple[Bound, ...]:
    tables = [relation.table for relation in query.relations if relation.is_driving]
    if not tables:
        return ()
    return bounds_of(fragment, pieces.driving, question.facts[tables[0]], parameters)


class PreparedQueries:
    """The newest of them, `size` at most."""

    def __init__(self, size: int) -> None:
        self._kept: Newest[Hashable, PreparedQuery] = Newest(size)

    def prepare(self, question: ColumnarQuestion) -> PreparedQuery:
        """Return what is known of a query, at least what to ask PostgreSQL.  Raises CannotSplit."""
        identity = question.identity()
        found = self._kept.get(identity)
        if found is None:
            pieces = question.pieces()
            probe = bind(copied(pieces.fragment()), question.types)
            found = PreparedQuery(question.whole(), probe, pieces.table, pieces.is_columnar_only)
            self._kept.put(identity, found)
        return found
