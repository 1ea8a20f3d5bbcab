"""A query as columnar fragments and their merge, planned as the service would, and run."""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.queries.control import Control
from app.queries.errors import RunWhole
from app.queries.service import QueryService
from app.queries.transaction import ReadTransaction
from columnar.engine import ColumnarEngine
from columnar.relation import RelationFiles
from db.database import Database
from query.canonical import BoundSql, bind, chosen
from query.columnar.context import Parameter
from query.columnar.facts import TableFact
from query.columnar.pieces import Pieces
from query.columnar.render import ColumnarQuery, render_columnar
from query.merge import Merge, array_literal
from query.statement import Parser, TableName
from query.trees import copied
from tests.columnar.segments import read_table

Row = tuple[str | None, ...]
TIMEOUT_S = 60.0
PARSER = Parser(cache_size=10, max_length=100_000, max_depth=60)


@dataclass(frozen=True)
class ColumnarPlan:
    """`whole` is the fragment over all rows for PostgreSQL, `columnar` the same for DuckDB."""

    whole: BoundSql
    columnar: ColumnarQuery
    merge: Merge | None
    is_shared_out: bool
    is_columnar_only: bool
    values: tuple[str | None, ...]


def plan(
    database: Database,
    service: QueryService,
    tables: Mapping[TableName, TableFact],
    sql: str,
    values: Sequence[str | None] = (),
) -> ColumnarPlan:
    """Plan `sql`.  Raises CannotSplit, RunWhole and NotColumnar, and what PostgreSQL raises."""
    planner = service._planner
    parsed = PARSER.parse(sql)
    if parsed.unread is not None:
        raise RunWhole(parsed.unread)
    with database.connection() as connection:
        transaction = ReadTransaction(connection, Control("", TIMEOUT_S))
        transaction.begin()
        statement, catalog, described = planner.reader.views(transaction, parsed, sql)
        types = planner.reader.parameter_types(transaction, described)
        read = bind(copied(statement.tree), types)
        theirs = planner.reader.explain(transaction, sql, values)
        if planner.reader.explain(transaction, read.sql, chosen(read, values)).text != theirs.text:
            raise RunWhole("PostgreSQL reads it differently than our parser")
        names = [column.name for column in described.columns]
        pieces = Pieces(statement, names, catalog)
        probe = bind(copied(pieces.fragment()), types)
        given = chosen(probe, values)
        reader = service._catalog
        columns = transaction.describe_result(probe.sql, given)
        facts = reader.type_facts(transaction, columns)
        facts = reader.with_collations(transaction, facts, probe.sql, given)
        fragment, merge = pieces.finish(facts, types)
        whole = bind(copied(fragment), types)
        described_whole = transaction.describe_result(whole.sql, chosen(whole, values))
        every = reader.type_facts(transaction, described_whole)
    parameters = [Parameter(*pair) for pair in zip(types, values, strict=True)]
    columnar = render_columnar(fragment, tables, parameters, driving=pieces.driving, types=every)
    return ColumnarPlan(
        whole, columnar, merge, pieces.driving is not None, pieces.is_columnar_only, tuple(values)
    )


@dataclass(frozen=True)
class Runs:
    """Runs plans over files."""

    database: Database
    engine: ColumnarEngine
    files: Mapping[TableName, Sequence[Path]]
    is_fetching: bool = False

    def columnar(self, query: ColumnarQuery, files: slice = slice(None)) -> list[Row]:
        """Run the fragment over some of the driving table's files.  Raises ColumnarError.

        What `is_fetching` has each other table's last file hold comes as rows of PostgreSQL would.
        """
        relations = []
        for one in query.relations:
            mine = self.files[one.table]
            if one.is_driving:
                found = RelationFiles(one.name, one.columns, mine[files])
            elif self.is_fetching:
                names = [name for _, name, _ in one.columns]
                rows = read_table(mine[-1])
                rows = rows.select(names or rows.column_names[:1])
                found = RelationFiles(one.name, one.columns, mine[:-1], rows)
            else:
                found = RelationFiles(one.name, one.columns, mine)
            relations.append(found)
        answer = self.engine.run(
            query.sql, relations, timeout_s=TIMEOUT_S, max_rows=10**6, max_bytes=10**9
        )
        return list(zip(*answer.data, strict=True))

    def merged(self, plan: ColumnarPlan) -> list[Row] | None:
        """Run the whole plan; None where equal values leave the answer to PostgreSQL alone."""
        files = [slice(None)]
        if plan.is_shared_out:
            most = max(len(self.files[one.table]) for one in plan.columnar.relations)
            files = [slice(number, number + 1) for number in range(most)]
        partials = [self.columnar(plan.columnar, part) for part in files]
        rows = list(itertools.chain.from_iterable(partials))
        if plan.merge is None:
            return rows
        width = plan.columnar.sql.partition(" FROM (")[0].count(" AS c")
        columns = [[row[place] for row in rows] for place in range(width)]
        values = [*chosen(plan.merge.query, plan.values), *map(array_literal, columns)]
        with self.database.connection() as connection:
            found = connection.execute(plan.merge.query.sql.encode(), values).fetchall()
        if not plan.merge.has_verdict:
            return found
        if any(row[-1] == "t" for row in found):
            return None
        return [row[:-1] for row in found]

    def postgres(self, sql: str, values: Sequence[str | None]) -> list[Row]:
        """Run SQL on PostgreSQL.  Raises psycopg.Error."""
        with self.database.connection() as connection:
            return connection.execute(sql.encode(), values).fetchall()


def counted(rows: Sequence[Row]) -> Counter[Row]:
    """Return the rows without their order."""
    return Counter(tuple(row) for row in rows)
