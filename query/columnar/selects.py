"""A SELECT: where its rows come from, which are kept, how they are grouped, and what is shown."""

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from query.aggregate_call import own_aggregates
from query.aggregates import CannotSplit
from query.branches import branches_of, unwrapped
from query.columnar.context import Context, RelationUse, check_parts, raises, refuse
from query.columnar.scope import Rows, Scope, Source
from query.columnar.values import UNKNOWN, Value
from query.cuts import PLACE
from query.outputs import output_meant, window_of
from query.statement import TableName, identifier

PARTS = frozenset({
    "expressions", "from_", "joins", "where", "group", "having", "distinct", "order", "limit",
    "offset", "with_",
})  # fmt: skip
SIDES = frozenset({"", "LEFT", "RIGHT", "FULL"})
KINDS = frozenset({"", "INNER", "OUTER", "CROSS"})
MOST_ROWS = 1 << 40


def rows_of(node: exp.Expr, context: Context) -> Rows:
    """Render a query inside another one.  Raises NotColumnar."""
    query = unwrapped(node)
    if isinstance(query, exp.Select):
        return _Select(query, context, is_outermost=False).rows()
    branches = branches_of(query)
    if branches is None:
        refuse(node, "of set operations UNION ALL alone is on the list")
    return _union([rows_of(branch, context) for branch in branches], node, context)


def outermost(query: exp.Select, context: Context) -> Rows:
    """Render a fragment's own SELECT.  Raises NotColumnar."""
    return _Select(query, context, is_outermost=True).rows()


def _union(branches: Sequence[Rows], node: exp.Expr, context: Context) -> Rows:
    context.use("union all")
    if len({len(rows.columns) for rows in branches}) != 1:
        refuse(node, "its branches differ in width")
    columns: list[tuple[str, Value]] = []
    for given in zip(*[rows.columns for rows in branches], strict=True):
        kinds = {value.kind for _, value in given}
        if len(kinds) != 1 or any(value.shown is not None for _, value in given):
            refuse(node, "its branches differ in type")
        name, first = given[0]
        columns.append((name, replace(first, sql=f"c{len(columns)}", constant=None,
                                      raises=raises(*[value for _, value in given]))))  # fmt: skip
    texts = []
    for rows in branches:
        alias = context.fresh("b")
        items = [f"{alias}.{value.sql} AS c{n}" for n, (_, value) in enumerate(rows.columns)]
        texts.append(f"SELECT {', '.join(items)} FROM ({rows.sql}) AS {alias}")
    return Rows(" UNION ALL ".join(texts), tuple(columns))


class _Select:
    """Renders one SELECT; the order of what it does is that in which names come into scope."""

    def __init__(self, tree: exp.Select, context: Context, *, is_outermost: bool) -> None:
        self._tree = tree
        self._is_outermost = is_outermost
        unknown = {part for part, value in tree.args.items() if value} - PARTS
        if unknown:
            refuse(tree, f"{', '.join(sorted(unknown))} is not on the list")
        self._context = self._with_ctes(context)
        self._joined: list[str] = []

    def _with_ctes(self, context: Context) -> Context:
        with_ = self._tree.args.get("with_")
        withs = dict(context.scope.withs)
        outer = context.scope
        self._with_sql: list[str] = []
        if with_ is not None and with_.args.get("recursive"):
            refuse(self._tree, "recursion is not on the list")
        for cte in with_.expressions if with_ is not None else []:
            check_parts(cte, "this", "alias", "materialized")
            scope = Scope((), outer, dict(withs))
            rows = rows_of(cte.this, context.within(scope))
            name = context.fresh("w")
            self._with_sql.append(f"{name} AS ({rows.sql})")
            alias = cte.args["alias"]
            withs[identifier(alias.this)] = Rows(name, _renamed(rows, alias, cte).columns)
        return context.within(Scope((), outer, withs))

    def rows(self) -> Rows:
        """Return the query."""
        from_ = self._from()
        context = self._context
        where = self._where()
        items = self._items()
        is_grouped = self._is_grouped(items)
        names, outputs = self._outputs(items)
        keys = self._keys(names, outputs)
        having = self._having()
        tail = self._tail(names, outputs)
        columns, shown_items = [], []
        for number, (name, value) in enumerate(zip(names, outputs, strict=True)):
            shown_items.append((f"c{number}", value.sql))
            shown = None
            if value.shown is not None:
                shown = f"n{number}"
                shown_items.append((shown, value.shown))
            columns.append((name, replace(value, sql=f"c{number}", shown=shown, constant=None)))
        distinct = "DISTINCT " if self._tree.args.get("distinct") else ""
        if distinct:
            context.use("distinct")
            self._check_keys(outputs)
        if keys or is_grouped:
            context.use("group by")
        group = f" GROUP BY {', '.join(key.sql for key in keys)}" if keys else ""
        with_ = f"WITH {', '.join(self._with_sql)} " if self._with_sql else ""
        before, behind = f"{with_}SELECT {distinct}", f" FROM {from_}{where}{group}{having}{tail}"
        listed = ", ".join(f"{text} AS {own}" for own, text in shown_items)
        sql = f"{before}{listed}{behind}"
        return Rows(sql, tuple(columns), tuple(shown_items), (before, behind))

    def _from(self) -> str:
        from_ = self._tree.args.get("from_")
        if from_ is None:
            refuse(self._tree, "it reads nothing")
        sources: list[Source] = []
        text = self._source(from_.this, sources)
        for join in self._tree.args.get("joins") or []:
            text += self._join(join, sources)
        self._enter(sources)
        return text

    def _enter(self, sources: Sequence[Source]) -> None:
        names = [source.name for source in sources]
        if len(set(names)) != len(names):
            refuse(self._tree, "two of its tables have one name")
        scope = self._context.scope
        self._context = self._context.within(replace(scope, sources=tuple(sources)))

    def _join(self, join: exp.Join, sources: list[Source]) -> str:
        side, kind = str(join.side or ""), str(join.kind or "")
        check_parts(join, "this", "side", "kind", "on")
        if side not in SIDES or kind not in KINDS:
            refuse(join, "such a join is not on the list")
        self._context.use("join")
        source = self._source(join.this, sources)
        on = join.args.get("on")
        if on is None:
            if side or kind not in ("", "CROSS"):
                refuse(join, "a join without a condition")
            return f" CROSS JOIN {source}" if kind else f", {source}"
        self._enter(sources)
        condition = self._context.condition(on)
        self._context = self._context.within(replace(self._context.scope, sources=()))
        if condition.raises:
            refuse(on, "it may raise an error, and which pairs of rows are met first differs")
        return f" {side or 'INNER'} JOIN {source} ON {condition.sql}"

    def _source(self, node: exp.Expr, sources: list[Source]) -> str:
        alias_node = node.args.get("alias")
        check_parts(node, "this", "db", "alias")
        if alias_node is not None:
            check_parts(alias_node, "this", "columns")
        alias = self._context.fresh("s")
        if isinstance(node, exp.Subquery):
            self._context.use("subquery in FROM")
            outer = replace(self._context.scope, sources=())
            rows = _renamed(rows_of(node.this, self._context.within(outer)), alias_node, node)
            sources.append(_source(alias_node, rows, alias))
            return f"({rows.sql}) AS {alias}"
        if not isinstance(node, exp.Table) or not isinstance(node.this, exp.Identifier):
            refuse(node, "only tables and queries in FROM are on the list")
        name = identifier(node.this)
        if node.args.get("db") is None and name in self._context.scope.withs:
            self._context.use("subquery in FROM")
            rows = _renamed(self._context.scope.withs[name], alias_node, node)
            found = _source(alias_node, rows, alias)
            sources.append(replace(found, name=found.name or name))
            return f"{rows.sql} AS {alias}"
        return self._table(node, alias, sources)

    def _table(self, node: exp.Table, alias: str, sources: list[Source]) -> str:
        schema = identifier(node.args["db"]) if node.args.get("db") else None
        given = TableName(schema, identifier(node.this))
        fact = self._context.tables.get(given)
        if fact is None:
            refuse(node, "there are no segments of it")
        folded = [column.lower() for column in fact.columns]
        if len(set(folded)) != len(folded):
            refuse(node, "some of its columns differ in case alone")
        place = node.meta.get(PLACE)
        is_driving = place is not None and place == self._context.driving
        use = RelationUse(self._context.fresh("r"), alias, given, is_driving)
        self._context.notes.relations.append(use)
        columns: dict[str, Value | None] = {}
        for column, about in fact.columns.items():
            kind = about.kind
            if kind is None:
                columns[column] = None
                continue
            own = f"k{len(use.columns)}"
            use.columns[own] = column, kind
            columns[column] = Value(f"{alias}.{own}", kind)
        alias_node = node.args.get("alias")
        if alias_node is not None and alias_node.args.get("columns"):
            refuse(node, "columns under other names are not on the list")
        name = identifier(alias_node.this) if alias_node is not None else given.name
        sources.append(Source(name, columns))
        return f"{use.name} AS {alias}"

    def _where(self) -> str:
        where = self._tree.args.get("where")
        if where is None:
            return ""
        condition = self._context.condition(where.this)
        if condition.raises and not self._reads_one_table():
            refuse(where.this, "it may raise an error, and which rows are met first differs")
        return f" WHERE {condition.sql}"

    def _reads_one_table(self) -> bool:
        is_table = isinstance(self._tree.args["from_"].this, exp.Table)
        return self._is_outermost and is_table and not self._tree.args.get("joins")

    def _items(self) -> list[exp.Expr]:
        """Return the outputs, * as the columns that it stands for."""
        found: list[exp.Expr] = []
        for item in self._tree.expressions:
            if isinstance(item, exp.Star) or (
                isinstance(item, exp.Column) and isinstance(item.this, exp.Star)
            ):
                of = identifier(item.args["table"]) if isinstance(item, exp.Column) else None
                found += self._all_columns(item, of)
            else:
                found.append(item)
        return found

    def _all_columns(self, item: exp.Expr, of: str | None) -> list[exp.Expr]:
        check_parts(item, "this", "table")
        check_parts(item.this if isinstance(item, exp.Column) else item)
        return [
            exp.Column(this=exp.to_identifier(column, quoted=True),
                       table=exp.to_identifier(source.name, quoted=True))
            for source in self._context.scope.sources if of is None or source.name == of
            for column in source.columns
        ]  # fmt: skip

    def _is_grouped(self, items: Sequence[exp.Expr]) -> bool:
        found = any(True for item in items for _ in own_aggregates(item))
        return bool(self._tree.args.get("group")) or found

    def _outputs(self, items: Sequence[exp.Expr]) -> tuple[list[str], list[Value]]:
        names, outputs = [], []
        for item in items:
            names.append(_name(item))
            value = self._context.value(item.unalias())
            if value.kind == UNKNOWN:
                refuse(item, "its type depends on what stands around it")
            if value.raises and not self._is_outermost:
                refuse(item, "it may raise an error, and the query around may not need it")
            outputs.append(value)
        return names, outputs

    def _keys(self, names: Sequence[str], outputs: Sequence[Value]) -> list[Value]:
        group = self._tree.args.get("group")
        if group is None:
            return []
        check_parts(group, "expressions")
        keys = [self._key(key, names, outputs) for key in group.expressions]
        self._check_keys(keys)
        return keys

    def _key(self, key: exp.Expr, names: Sequence[str], outputs: Sequence[Value]) -> Value:
        if isinstance(key, exp.Literal) and key.is_int and 0 < int(key.this) <= len(outputs):
            return outputs[int(key.this) - 1]
        if isinstance(key, exp.Column) and not key.table and isinstance(key.this, exp.Identifier):
            name = identifier(key.this)
            known = any(name in source.columns for source in self._context.scope.sources)
            if not known and list(names).count(name) == 1:
                return outputs[list(names).index(name)]
        value = self._context.typed(key)
        if value.raises and not self._is_outermost:
            refuse(key, "it may raise an error, and not all rows may be met")
        return value

    def _check_keys(self, keys: Sequence[Value]) -> None:
        for key in keys:
            if not key.kind.looks_alike or key.shown is not None:
                refuse(self._tree, "of equal keys that look different it takes one")

    def _having(self) -> str:
        having = self._tree.args.get("having")
        if having is None:
            return ""
        condition = self._context.condition(having.this)
        if condition.raises:
            refuse(having.this, "it may raise an error, and others may be met first")
        self._context.use("group by")
        return f" HAVING {condition.sql}"

    def _tail(self, names: Sequence[str], outputs: Sequence[Value]) -> str:
        """Return what picks the first rows; the order of rows by itself means nothing here."""
        tree = self._tree
        if tree.args.get("distinct"):
            check_parts(tree.args["distinct"])
        if not tree.args.get("limit") and not tree.args.get("offset"):
            return ""
        try:
            window = window_of(tree)
        except CannotSplit as error:
            refuse(tree, error.reason)
        order = tree.args.get("order")
        # all groups are made in any case, before some are chosen
        grouped = bool(tree.args.get("group")) and window.with_ties
        if not self._is_outermost or order is None or window.offset or tree.args.get("distinct"):
            refuse(tree, "such a LIMIT is not on the list")
        if tree.args.get("group") and not grouped:
            refuse(tree, "such a LIMIT is not on the list")
        if window.count is None or window.count > MOST_ROWS or (raises(*outputs) and not grouped):
            refuse(tree, "such a LIMIT is not on the list")
        self._context.use("top groups" if grouped else "top rows")
        keys = ", ".join(
            self._sort_key(key, names, outputs, may_raise=grouped) for key in order.expressions
        )
        if not window.with_ties:
            return f" ORDER BY {keys} LIMIT {window.count}"
        return f" QUALIFY rank() OVER (ORDER BY {keys}) <= {window.count}"

    def _sort_key(
        self, key: exp.Expr, names: Sequence[str], outputs: Sequence[Value], *, may_raise: bool
    ) -> str:
        if not isinstance(key, exp.Ordered):
            refuse(key, "it is not on the list")
        check_parts(key, "this", "desc", "nulls_first")
        place = output_meant(key.this, names)
        value = outputs[place] if place is not None else self._context.typed(key.this)
        if value.kind.name == "bpchar" or not value.kind.sorts_by_bytes:
            refuse(key, "this order is not on the list")
        if value.raises and not may_raise:
            refuse(key, "this order is not on the list")
        way = "DESC" if key.args.get("desc") else "ASC"
        nulls = "FIRST" if key.args.get("nulls_first") else "LAST"
        return f"{value.sql} {way} NULLS {nulls}"


def _name(item: exp.Expr) -> str:
    """Return an output's name as PostgreSQL finds it, where a query around may use it."""
    if isinstance(item, exp.Alias):
        return identifier(item.args["alias"])
    if isinstance(item, exp.Column) and isinstance(item.this, exp.Identifier):
        return identifier(item.this)
    return "?column?"


def _renamed(rows: Rows, alias: exp.Expr | None, node: exp.Expr) -> Rows:
    """Return the rows with the names that an alias gives to the first of its columns."""
    given = alias.args.get("columns") or [] if alias is not None else []
    if len(given) > len(rows.columns):
        refuse(node, "it gives more names than there are columns")
    names = [identifier(name) for name in given]
    names += [name for name, _ in rows.columns[len(given) :]]
    columns = tuple((name, value) for name, (_, value) in zip(names, rows.columns, strict=True))
    return Rows(rows.sql, columns)


def _source(alias_node: exp.Expr | None, rows: Rows, alias: str) -> Source:
    """Return the item of FROM; a name that two columns have stands for neither."""
    name = identifier(alias_node.this) if alias_node is not None else None
    names = [column for column, _ in rows.columns]
    columns = {
        column: replace(
            value,
            sql=f"{alias}.{value.sql}",
            shown=f"{alias}.{value.shown}" if value.shown is not None else None,
        )
        if names.count(column) == 1 and column != "?column?"
        else None
        for column, value in rows.columns
    }
    return Source(name, columns)
