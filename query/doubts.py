"""What a merge over groups cannot be sure of, and where that matters."""

from collections.abc import Mapping, Sequence

from sqlglot import exp

from query.aggregates import Merged
from query.expressions import formula
from query.merge import column
from query.trees import copied

PLACEHOLDER = "aggregate"


class Doubts:
    """The doubts about each key, by its place, and about each aggregate of one query.

    In expressions, columns of the table `aggregate` stand for the aggregates.
    """

    def __init__(
        self, keys: Mapping[int, exp.Expr], merged: Sequence[Merged], *, has_sets: bool
    ) -> None:
        self._merged = merged
        self._keys = dict(keys)
        if has_sets:  # in a row whose set leaves the key out, it is null, and nothing is in doubt
            self._keys = {
                place: formula("grouping(key) = 0 AND differ", key=column(place), differ=differ)
                for place, differ in keys.items()
            }

    def conditions(self) -> list[exp.Expr]:
        """Return the conditions under which a group's row is in doubt."""
        found = [copied(condition) for condition in self._keys.values()]
        found += [copied(one.ambiguous) for one in self._merged if one.ambiguous is not None]
        return found

    def concern(self, node: exp.Expr) -> bool:
        """Tell whether what `node` says of a group may depend on what is in doubt.

        Not so for a key itself: its values are equal, however they look.
        """
        if isinstance(node, exp.Column) and node.table != PLACEHOLDER:
            return False
        return any(self._is_doubtful(found) for found in node.find_all(exp.Column))

    def filled(self, node: exp.Expr) -> exp.Expr:
        """Return `node` with the merged aggregates in it."""

        def fill(found: exp.Expr) -> exp.Expr:
            number = _aggregate(found)
            return found if number is None else copied(self._merged[number].value)

        return copied(node).transform(fill, copy=False)

    def _is_doubtful(self, found: exp.Column) -> bool:
        number = _aggregate(found)
        if number is not None:
            return self._merged[number].ambiguous is not None
        return any(found == column(place) for place in self._keys)


def _aggregate(node: exp.Expr) -> int | None:
    if isinstance(node, exp.Column) and node.table == PLACEHOLDER:
        return int(node.name.removeprefix(PLACEHOLDER))
    return None


def anywhere(condition: exp.Expr) -> exp.Expr:
    """Return whether `condition` is true in any group, whether or not that is shown."""
    return exp.Window(this=exp.Anonymous(this="bool_or", expressions=[condition]))


def rows_look_alike(outputs: Sequence[exp.Expr]) -> exp.Expr:
    """Return whether the groups whose rows equal a row also look like it."""
    looks = [formula('concat(x) COLLATE "C"', x=output) for output in outputs]
    nulls = [formula("x IS NULL", x=output) for output in outputs]
    equal, alike = (
        exp.Window(
            this=exp.Count(this=exp.Star(), big_int=True),
            partition_by=[copied(part) for part in parts],
        )
        for parts in (outputs, [*looks, *nulls])
    )
    return exp.Paren(this=exp.EQ(this=equal, expression=alike))
