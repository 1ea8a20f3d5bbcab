"""Views read as subqueries, so that their tables can be split."""

from dataclasses import replace

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from query.aggregates import CannotSplit
from query.catalog import Catalog
from query.dialect import FaithfulPostgres, render
from query.statement import Statement, TableName, identifier
from query.trees import copied

# A view's text grows with each view in it; what is larger than this is not worth our parser's time.
MOST_CHARACTERS = 20_000


def expanded(statement: Statement, catalog: Catalog) -> Statement | None:
    """Return the statement with subqueries in place of its views, None where it has none.

    Views inside of those are left for the next time.  That PostgreSQL plans it like the user's
    own text, with the reader's rights, is for the caller to check.  Raises CannotSplit for a view
    that is not to be read so.
    """
    definitions = {
        name: table.definition for name, table in catalog.tables.items() if table.kind == "v"
    }
    if not definitions:
        return None
    defined = {identifier(cte.args["alias"].this) for cte in statement.tree.find_all(exp.CTE)}
    holder = exp.Paren(this=copied(statement.tree))  # a parent even for a tree that is one node
    for table in list(holder.find_all(exp.Table)):
        name = _name(table)
        if name is None or name not in definitions or (not name.schema and name.name in defined):
            continue
        if any(table.args.get(part) for part in ("sample", "only", "joins")):
            raise CannotSplit(f"the view {name.name} stands in a form that is not split")
        table.replace(_subquery(table, name, definitions[name]))
    tree = holder.this
    text = render(tree)
    if len(text) > MOST_CHARACTERS:
        raise CannotSplit("the text of its views is too long")
    names = [_name(table) for table in tree.find_all(exp.Table)]
    read = [
        name for name in names if name is not None and (name.schema or name.name not in defined)
    ]
    return replace(
        statement,
        sql=text,
        tree=tree,
        tables=tuple(dict.fromkeys(name for name in read if name not in definitions)),
    )


def _subquery(table: exp.Table, name: TableName, definition: str | None) -> exp.Subquery:
    if definition is None:
        raise CannotSplit(f"the view {name.name} hides rows, or lies in another schema")
    try:
        query = sqlglot.parse_one(definition.rstrip().rstrip(";"), dialect=FaithfulPostgres)
    except (SqlglotError, RecursionError) as error:
        raise CannotSplit(f"the view {name.name} cannot be read") from error
    if query.find(exp.With) is not None:
        raise CannotSplit(f"the view {name.name} has common table expressions")
    alias = table.args.get("alias") or exp.TableAlias(this=copied(table.this))
    return exp.Subquery(this=query, alias=copied(alias))


def _name(table: exp.Table) -> TableName | None:
    if not isinstance(table.this, exp.Identifier):
        return None
    schema = table.args.get("db")
    return TableName(identifier(schema) if schema else None, identifier(table.this))
