"""What splitting wants of an aggregate: columns of the fragments, and how they merge."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from query.errors import QueryError
from query.types import TypeFact


class CannotSplit(QueryError):
    """The query runs whole; `reason` says why."""

    code = "not-splittable"

    def __init__(self, reason: str) -> None:
        super().__init__(reason, "")


@dataclass(frozen=True)
class PartialColumn:
    """A column of the partials, as the merge refers to it, and its type."""

    node: exp.Column
    fact: TypeFact


@dataclass(frozen=True)
class Merged:
    """How an aggregate's partials merge.

    Where `ambiguous` is true, the answer depends on more than the partials tell, such as the
    order in which PostgreSQL would have met the rows.
    """

    value: exp.Expr
    ambiguous: exp.Expr | None = None


class Checks:
    """Columns that fragments send along only so that the merge can see whether it is sure."""

    def __init__(self, first: int) -> None:
        self._first = first
        self.columns: list[tuple[exp.Expr, TypeFact]] = []

    def column(self, expression: exp.Expr, fact: TypeFact) -> exp.Column:
        """Have fragments compute `expression`, of type `fact`; return the merge's reference."""
        if (expression, fact) not in self.columns:
            self.columns.append((expression, fact))
        place = self._first + self.columns.index((expression, fact))
        return exp.column(f"c{place}", table="p")


class Aggregate(ABC):
    """One call of an aggregate, split in its family's way."""

    carried: Sequence[exp.Expr] = ()
    """Expressions over rows; a fragment that groups also groups by these."""

    partials: Sequence[exp.Expr] = ()
    """Aggregates that a fragment computes for each of its groups."""

    @abstractmethod
    def merge(self, columns: Sequence[PartialColumn], checks: Checks) -> Merged:
        """Return the merge over the columns of `carried` and `partials`.  Raises CannotSplit."""
