"""Splits kept for the next time: parsing is cheap to repeat, copying and writing trees is not."""

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from contextlib import suppress
from typing import TypeVar

from query.aggregates import CannotSplit
from query.catalog import Catalog
from query.keyed import KeyCut
from query.split import Split, SplitPlan, split
from query.statement import Statement
from query.types import TypeFact

T = TypeVar("T")


class Prepared:
    """A split with the texts that are sent to PostgreSQL before it is finished.

    `whole` is the query as we understood it, `probe` a fragment to describe.
    """

    def __init__(self, parts: Split, parameter_types: tuple[str, ...]) -> None:
        self._parts = parts
        self._parameter_types = parameter_types
        self._finished: dict[Hashable, SplitPlan | CannotSplit] = {}
        self._finished_by_key: dict[Hashable, SplitPlan | CannotSplit] = {}
        self.whole = parts.whole(parameter_types)
        self.probe = parts.probe(parameter_types)

    def finish(self, facts: Sequence[TypeFact]) -> SplitPlan:
        """Return the plan for partials with columns of these types.  Raises CannotSplit."""
        key = tuple(facts)
        kept = self._finished.get(key)
        if kept is None:
            try:
                kept = self._parts.finish(facts, self._parameter_types)
            except CannotSplit as error:
                kept = error
            self._finished = {key: kept}  # types change only with the schema: one is enough
        return _given(kept)

    @property
    def has_blocks(self) -> bool:
        """Tell whether it may be cut by blocks."""
        return self._parts.has_blocks

    @property
    def keyed(self) -> KeyCut | None:
        """How it may be cut by the values of a column, if it may."""
        return self._parts.keyed

    def finish_by_key(self, facts: Sequence[TypeFact], column: str, *, nullable: bool) -> SplitPlan:
        """Return the plan for ranges of `column`.  Raises CannotSplit."""
        key = (tuple(facts), column, nullable)
        kept = self._finished_by_key.get(key)
        if kept is None:
            try:
                kept = self._parts.finish_by_key(
                    facts, self._parameter_types, column, nullable=nullable
                )
            except CannotSplit as error:
                kept = error
            self._finished_by_key = {key: kept}
        return _given(kept)


class SplitCache:
    """The newest splits, by all that they depend on; `size` of them."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: OrderedDict[Hashable, Prepared | CannotSplit] = OrderedDict()

    def prepare(
        self,
        statement: Statement,
        names: tuple[str, ...],
        parameter_types: tuple[str, ...],
        catalog: Catalog,
    ) -> Prepared:
        """Split `statement` with outputs called `names`.  Raises CannotSplit."""
        key = (statement.sql, names, parameter_types, catalog.fingerprint())
        kept = self._kept.get(key)
        if kept is None:
            try:
                kept = Prepared(split(statement, names, catalog), parameter_types)
            except CannotSplit as error:
                kept = error
            self._kept[key] = kept
        with suppress(KeyError):  # another thread may just have dropped it
            self._kept.move_to_end(key)
        while len(self._kept) > self._size:
            with suppress(KeyError):
                self._kept.popitem(last=False)
        return _given(kept)


def _given(kept: T | CannotSplit) -> T:
    if isinstance(kept, CannotSplit):
        raise CannotSplit(kept.reason)
    return kept
