"""Which columns are compared, by which key, and what is wrong with that."""

from collections.abc import Sequence
from dataclasses import dataclass

from jobs.tables.canonical import family, is_fixed, scale, value
from jobs.tables.errors import TableRefused
from jobs.tables.relation import UNVERSIONED, Column, Relation
from jobs.tables.sql_text import name

# bool, bytea, int8, int2, int4, text, oid, float4, float8, bpchar, varchar, date, time, timestamp,
# timestamptz, numeric, uuid: their order is the same in every database, given the collation
ORDERABLE = frozenset({
    16, 17, 20, 21, 23, 25, 26, 700, 701, 1042, 1043, 1082, 1083, 1114, 1184, 1700, 2950,
})  # fmt: skip


@dataclass(frozen=True)
class KeyPart:
    """A column of the key: `order` is what ranges compare, of `type`; `text` tells values apart.

    `collate` has values that stand for themselves sorted like `order`.
    """

    name: str
    type: str
    order: str
    text: str
    collate: str


@dataclass(frozen=True)
class Reading:
    """What is read of one relation.

    `columns` with whether their numbers have a fixed scale (see canonical.payload).  `is_indexed`:
    ranges of the key are found by an index.
    """

    relation: Relation
    key: tuple[KeyPart, ...]
    columns: tuple[tuple[Column, bool], ...]
    is_indexed: bool

    @property
    def nullable_key(self) -> tuple[str, ...]:
        """Columns of the key that may be NULL as far as PostgreSQL knows."""
        found = [self.relation.column(part.name) for part in self.key]
        return tuple(column.name for column in found if column and not column.is_required)


@dataclass(frozen=True)
class Comparison:
    """What is compared; `only_left` and `only_right` are columns that the other side lacks."""

    left: Reading
    right: Reading
    only_left: tuple[str, ...]
    only_right: tuple[str, ...]

    @property
    def is_indexed(self) -> bool:
        """Whether both sides find ranges of the key by an index."""
        return self.left.is_indexed and self.right.is_indexed


def choose_key(relation: Relation, given: Sequence[str] | None) -> tuple[str, ...]:
    """Return the key: the given one, or the primary key, or a unique one.  Raises TableRefused."""
    if given:
        _checked(relation, given, "key")
        names = tuple(given)
    else:
        names = _own_key(relation)
    for part in names:
        column = relation.column(part)
        if column is None or column.oid not in ORDERABLE:
            type_ = "" if column is None else column.type
            raise TableRefused(
                ("key",), f"{part} is of the type {type_}, by which ranges cannot be made.",
                "Give key columns that are numbers, texts, dates, times, uuid, bytea or boolean.",
            )  # fmt: skip
    return names


def reading(
    relation: Relation, given_key: Sequence[str] | None, columns: Sequence[str] | None
) -> Reading:
    """Return how one relation is read for its checksum.  Raises TableRefused."""
    key = choose_key(relation, given_key)
    names = _checked(relation, columns, "columns") if columns else _all(relation)
    chosen = [column for column in relation.columns if column.name in names]
    return _reading(relation, key, [(column, scale(column) is not None) for column in chosen])


def comparison(
    left: Relation,
    right: Relation,
    given_key: Sequence[str] | None,
    columns: Sequence[str] | None,
    *,
    one_database: bool,
) -> Comparison:
    """Return how two relations are compared.  Raises TableRefused."""
    if left.encoding != right.encoding:
        raise TableRefused(
            ("right", "database"), f"Its encoding is {right.encoding}, and left's {left.encoding}.",
            "Compare databases of one encoding.",
        )  # fmt: skip
    key = choose_key(left, given_key)
    _checked(right, key, "key")
    names = _compared(left, right, columns)
    pairs = [(_known(left, one), _known(right, one)) for one in dict.fromkeys([*key, *names])]
    for one, other in pairs:
        is_key = one.name in key
        fit = _same_key(one, other) if is_key else family(one) == family(other)
        if not fit:
            raise TableRefused(
                ("key" if is_key else "columns",),
                f"{one.name} is {one.type} on the left and {other.type} on the right.",
                "Leave it out with `columns`, or compare views that cast it.",
            )
    forced = {
        one.name
        for one, other in pairs
        if one.name in key and not _same_order(one, other, one_database=one_database)
    }
    fixed = {one.name: is_fixed(one, other) for one, other in pairs}
    wanted = [one.name for one, _ in pairs]
    read_left, read_right = (
        _reading(side, key, [(_known(side, one), fixed[one]) for one in wanted], forced)
        for side in (left, right)
    )
    return Comparison(
        read_left,
        read_right,
        tuple(one for one in _all(left) if one not in names),
        tuple(one for one in _all(right) if one not in names),
    )


def _reading(
    relation: Relation,
    key: Sequence[str],
    columns: Sequence[tuple[Column, bool]],
    forced: set[str] | frozenset[str] = frozenset(),
) -> Reading:
    fixed = {column.name: is_ for column, is_ in columns}
    parts = []
    for one in key:
        column = _known(relation, one)
        collate = f" COLLATE {column.collation_name}" if column.collation_name else ""
        order = f"t.{name(one)}"
        if one in forced:
            collate = ' COLLATE "C"'
            order += collate
        text = value(column, fixed=fixed.get(one, False))
        parts.append(KeyPart(one, column.type, order, f"({text})::text", collate))
    is_indexed = not forced and relation.is_ordered_by(key)
    return Reading(relation, tuple(parts), tuple(columns), is_indexed)


def _own_key(relation: Relation) -> tuple[str, ...]:
    for index in relation.indexes:
        columns = [relation.column(one) for one in index.columns]
        if index.is_unique and all(column and column.is_required for column in columns):
            return index.columns
    raise TableRefused(
        ("key",), f"{relation.name} has no primary key and no unique index over NOT NULL columns.",
        "Give the columns that tell its rows apart as `key`.",
    )  # fmt: skip


def _checked(relation: Relation, names: Sequence[str], place: str) -> tuple[str, ...]:
    for one in names:
        if relation.column(one) is None:
            known = ", ".join(_all(relation))
            raise TableRefused(
                (place,), f"{relation.name} has no column {one}.", f"It has: {known}."
            )
    return tuple(dict.fromkeys(names))


def _compared(left: Relation, right: Relation, columns: Sequence[str] | None) -> tuple[str, ...]:
    if columns:
        _checked(left, columns, "columns")
        return _checked(right, columns, "columns")
    return tuple(one for one in _all(left) if right.column(one) is not None)


def _same_key(one: Column, other: Column) -> bool:
    return one.oid == other.oid or {one.oid, other.oid} <= {25, 1043}


def _same_order(one: Column, other: Column, *, one_database: bool) -> bool:
    if one.collation != other.collation:
        return False
    return one_database or UNVERSIONED not in one.collation


def _all(relation: Relation) -> tuple[str, ...]:
    return tuple(column.name for column in relation.columns)


def _known(relation: Relation, one: str) -> Column:
    column = relation.column(one)
    if column is None:
        raise TableRefused(("key",), f"{relation.name} has no column {one}.", "Name another.")
    return column
