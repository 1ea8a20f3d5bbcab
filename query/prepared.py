"""Splits kept for the next time, as texts: the trees that they were made of take too much room."""

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from query.aggregates import CannotSplit
from query.canonical import BoundSql
from query.catalog import Catalog
from query.keyed import KeyCut
from query.split import FragmentTemplate, Split, SplitPlan, split
from query.statement import Statement
from query.types import TypeFact

MOST_KEPT = 20_000_000


@dataclass(frozen=True)
class Question:
    """All that a split depends on: the outputs are called `names`, `$i+1` is of `types[i]`."""

    statement: Statement
    names: tuple[str, ...]
    types: tuple[str, ...]
    catalog: Catalog

    def split(self) -> Split:
        """Split it.  Raises CannotSplit."""
        return split(self.statement, self.names, self.catalog)

    def key(self) -> Hashable:
        """Return what is equal for questions with one answer."""
        return self.statement.sql, self.names, self.types, self.catalog.fingerprint()


@dataclass
class _Kept:
    """The texts of a split; `finished` are its plan, and the types that this is for.

    `finished_by_key` are the same for ranges of a column's values, and the column.
    """

    whole: BoundSql
    probe: FragmentTemplate
    has_blocks: bool
    keyed: KeyCut | None
    finished: tuple[tuple[TypeFact, ...], SplitPlan | CannotSplit] | None = None
    finished_by_key: tuple[Hashable, SplitPlan] | None = None

    @property
    def size(self) -> int:
        """How many characters they have."""
        size = len(self.whole.sql) + len(self.probe.sql.sql)
        for finished in (self.finished, self.finished_by_key):
            plan = finished[1] if finished is not None else None
            if isinstance(plan, SplitPlan):
                size += plan.size
        return size


class Prepared:
    """A split for one request, with the texts that PostgreSQL is asked about before it is finished.

    `whole` is the query as we understood it, `probe` a fragment to describe.
    """

    def __init__(self, question: Question, kept: _Kept, parts: Split | None) -> None:
        self._question = question
        self._kept = kept
        self._parts = parts
        self.whole = kept.whole
        self.probe = kept.probe

    def finish(self, facts: Sequence[TypeFact]) -> SplitPlan:
        """Return the plan for partials with columns of these types.  Raises CannotSplit."""
        key = tuple(facts)
        finished = self._kept.finished
        if finished is None or finished[0] != key:
            parts = self._parts or self._question.split()
            try:
                finished = key, parts.finish(facts, self._question.types)
            except CannotSplit as error:
                finished = key, CannotSplit(error.reason)  # its traceback would keep the trees
            self._kept.finished = finished  # types change only with the schema: one is enough
        plan = finished[1]
        if isinstance(plan, CannotSplit):
            raise CannotSplit(plan.reason)
        return plan

    @property
    def has_blocks(self) -> bool:
        """Tell whether it may be cut by blocks."""
        return self._kept.has_blocks

    @property
    def keyed(self) -> KeyCut | None:
        """How it may be cut by the values of a column, if it may."""
        return self._kept.keyed

    def finish_by_key(self, facts: Sequence[TypeFact], column: str, *, nullable: bool) -> SplitPlan:
        """Return the plan for ranges of `column`.  Raises CannotSplit."""
        key = (tuple(facts), column, nullable)
        finished = self._kept.finished_by_key
        if finished is None or finished[0] != key:
            parts = self._parts or self._question.split()
            types = self._question.types
            finished = key, parts.finish_by_key(facts, types, column, nullable=nullable)
            self._kept.finished_by_key = finished
        return finished[1]


class SplitCache:
    """The newest splits: `size` of them, and no more than `most_kept` characters of SQL in all."""

    def __init__(self, size: int, most_kept: int = MOST_KEPT) -> None:
        self._size = size
        self._most_kept = most_kept
        self._kept: OrderedDict[Hashable, _Kept | CannotSplit] = OrderedDict()

    def prepare(
        self,
        statement: Statement,
        names: tuple[str, ...],
        parameter_types: tuple[str, ...],
        catalog: Catalog,
    ) -> Prepared:
        """Split `statement` with outputs called `names`.  Raises CannotSplit."""
        question = Question(statement, names, parameter_types, catalog)
        key = question.key()
        kept, parts = self._kept.get(key), None
        if kept is None:
            try:
                parts = question.split()
                kept = _Kept(
                    parts.whole(parameter_types),
                    parts.probe(parameter_types),
                    parts.has_blocks,
                    parts.keyed,
                )
            except CannotSplit as error:
                kept = CannotSplit(error.reason)
            self._kept[key] = kept
            self._drop_oldest()
        with suppress(KeyError):  # another thread may just have dropped it
            self._kept.move_to_end(key)
        if isinstance(kept, CannotSplit):
            raise CannotSplit(kept.reason)
        return Prepared(question, kept, parts)

    def _drop_oldest(self) -> None:
        # Other threads keep and drop meanwhile.  The values of a plain dict are listed in one step;
        # those of an ordered one are looked up by their keys, whose comparison lets others in.
        total = sum(len(one.reason) if isinstance(one, CannotSplit) else one.size
                    for one in list(dict.values(self._kept)))  # fmt: skip
        while self._kept and (len(self._kept) > self._size or total > self._most_kept):
            with suppress(KeyError):
                _, dropped = self._kept.popitem(last=False)
                total -= 0 if isinstance(dropped, CannotSplit) else dropped.size
