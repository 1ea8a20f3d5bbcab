"""How a query would run, and why."""

from dataclasses import dataclass

from app.queries.analysis import Analysis
from app.queries.catalog_reader import CatalogReader
from app.queries.plan import Plan
from app.queries.planning import Planner
from app.queries.request import QueryInput
from app.queries.sql_error import translated
from app.queries.transaction import ReadTransaction
from query.explained import Explained
from query.statement import Statement


@dataclass(frozen=True)
class Explanation:
    """What would run, and why; `plan.split` None: direct.

    `explained` is PostgreSQL's estimate for the whole query, `estimates` are those for each of
    `plan.parts`.  `partial_columns` are names and types of the columns that fragments yield.
    `reasons` are all that were found not to split; `analysis` is there once it was run.
    """

    plan: Plan
    statement: Statement
    explained: Explained
    reasons: tuple[str, ...] = ()
    estimates: tuple[Explained, ...] = ()
    partial_columns: tuple[tuple[str, str], ...] = ()
    analysis: Analysis | None = None


def explanation(
    planner: Planner,
    catalog: CatalogReader,
    transaction: ReadTransaction,
    statement: Statement,
    query: QueryInput,
    plan: Plan,
) -> Explanation:
    """Ask PostgreSQL what the plan does not hold already.  Runs nothing.  Raises SqlError."""
    explained = plan.explained or planner.reader.explain(transaction, statement.sql, query.params)
    if plan.split is None:
        reasons = planner.reasons(transaction, statement, query, plan)
        return Explanation(plan, statement, explained, reasons)
    estimates = [planner.reader.explain(transaction, part.sql, part.params) for part in plan.parts]
    with translated():
        if plan.columnar is not None:
            columns = plan.columnar.columns
        else:
            columns = transaction.describe(plan.parts[0].sql).columns
        types = [fact.name for fact in catalog.type_facts(transaction, columns)]
    named = zip([column.name for column in columns], types, strict=True)
    return Explanation(plan, statement, explained, (), tuple(estimates), tuple(named))
