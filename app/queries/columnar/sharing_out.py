"""Shares the rows of a query's tables out among fragments."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from app.queries.columnar.asked import Asked
from app.queries.columnar.errors import NotOverSegments
from app.queries.columnar.known_tables import ReadTable
from app.queries.columnar.plan import ColumnarPart, ColumnarPlan
from app.queries.columnar.prepared import (
    Finished,
    PreparedQuery,
    Rendered,
)
from app.queries.columnar.sources import Source, pruned, ranges_of, words
from app.queries.columnar.tools import ColumnarTools
from app.queries.settings import QuerySettings
from query.columnar.coverage import SegmentFact, gaps, in_order
from query.columnar.render import ColumnarQuery, Relation
from query.columnar.sharing import Hands, fragment_count, shared_out
from query.columnar.task import ColumnarFragment, RelationPart
from query.statement import TableName

MOST_FETCHED = 4  # times as many rows as were expected are fetched at most


class SharingOut:
    """Safe for use by many threads."""

    def __init__(self, tools: ColumnarTools, settings: QuerySettings) -> None:
        self._known = tools.known
        self._partials = tools.partials
        self._times = tools.times
        self._settings = settings

    def share_out(
        self,
        asked: Asked,
        tables: Mapping[TableName, ReadTable],
        prepared: PreparedQuery,
        finished: Finished,
        rendered: Rendered,
    ) -> ColumnarPlan:
        """Return the plan.  Raises NotOverSegments."""
        columnar = rendered.query
        sources = {
            relation.name: self._source(asked, tables[relation.table], relation)
            for relation in columnar.relations
        }
        driving = next((one for one in columnar.relations if one.is_driving), None)
        for relation in columnar.relations:
            source = sources[relation.name]
            if source.gaps and (relation is not driving or finished.keyed is None):
                sources[relation.name] = self._with_fetch(source)
        shared_name = driving.name if driving is not None else ""
        shared = sources.get(shared_name)
        if shared is not None:
            self._check_share(asked, shared)
            shared = sources[shared_name] = pruned(shared, rendered.bounds)
        others = sum(
            source.rows for name, source in sources.items()
            if driving is None or name != driving.name
        )  # fmt: skip
        own = 0 if shared is None else shared.rows
        parts = self._parts(asked, columnar, sources, driving, own, others, len(finished.columns))
        choice = self._times.choose(asked.statement, cost=asked.explained.cost, rows=own + others)
        if choice.way != "columnar" and not asked.is_forced:
            digests = [part.fragment.digest for part in parts]
            if (shared is not None and shared.gaps) or not self._partials.has_all(digests):
                reason = f"PostgreSQL alone is expected to be faster: {choice.reason}"
                raise NotOverSegments("slower", reason)
            choice = replace(choice, reason="its partials are kept")
        ranges = ranges_of(finished, shared, asked.query.params)
        reason = (
            f"{len(parts)} {'part' if len(parts) == 1 else 'parts'} over segments"
            f"{f', {len(ranges)} key ranges on PostgreSQL' if ranges else ''}"
            f"{f', segments pruned: {shared.pruned}' if shared and shared.pruned else ''}"
            f": {choice.reason}"
        )
        return ColumnarPlan(
            parts, ranges, finished.columns, finished.facts, finished.merge,
            prepared.table if shared is not None else None, reason, others=tuple(dict.fromkeys(
                source.table.name for name, source in sources.items()
                if driving is None or name != driving.name
            )),
        )  # fmt: skip

    def _source(self, asked: Asked, table: ReadTable, relation: Relation) -> Source:
        if table.tracked is None:
            return Source(table, (), tuple(gaps(())), 0)
        state = asked.transaction.states[table.oid]
        needed = {name for _, name, _ in relation.columns}
        clean, rest = [], 0
        for segment in self._known.clean(state):
            is_fit = (
                segment.acceleration == table.tracked.id
                and segment.id not in asked.without
                and needed <= segment.columns.keys()
            )
            if is_fit:
                clean.append(segment)
            else:
                rest += segment.row_count
        rest += sum(segment.row_count for segment in self._known.segments(state.dirty))
        ordered = tuple(in_order(clean))
        return Source(table, ordered, tuple(gaps(ordered)), rest)

    def _with_fetch(self, source: Source) -> Source:
        """Have what segments lack fetched by each fragment.  Raises CannotSplit if it is much."""
        most = self._settings.columnar_fetch_rows
        if source.dirty_rows > most:
            raise NotOverSegments(
                "dirty",
                f"segments of {source.table.name} lack some {source.dirty_rows} rows that all "
                f"parts need, and {most} may be fetched",
            )
        return source.fetching()

    def _check_share(self, asked: Asked, source: Source) -> None:
        if not source.segments:
            raise NotOverSegments(
                "dirty", f"no segment of {source.table.name} is as its rows are now"
            )
        total = source.rows + source.dirty_rows
        least = self._settings.columnar_min_share
        if not asked.is_forced and source.gaps and source.rows < least * total:
            raise NotOverSegments(
                "dirty",
                f"only {source.rows} of about {total} rows of {source.table.name} are in segments "
                "that are as the table is now",
            )
        if len(source.gaps) > self._settings.max_fragments:
            raise NotOverSegments(
                "dirty", f"changes of {source.table.name} lie in too many key ranges"
            )

    def _parts(
        self,
        asked: Asked,
        columnar: ColumnarQuery,
        sources: Mapping[str, Source],
        driving: Relation | None,
        own: int,
        others: int,
        width: int,
    ) -> tuple[ColumnarPart, ...]:
        settings = self._settings
        runs: Sequence[Sequence[SegmentFact] | None] = [None]
        if driving is not None:
            segments = sources[driving.name].segments
            hands = Hands(asked.capacity.slots, asked.capacity.hosts)
            count = asked.query.partitions or fragment_count(
                own, others, hands, min_rows=settings.columnar_fragment_rows,
                most=settings.max_fragments,
            )  # fmt: skip
            sizes = [segment.row_count + 1 for segment in segments]
            runs = [
                [segments[place] for place in run]
                for run in shared_out(sizes, min(count, settings.max_fragments))
            ]
        parts = []
        for run in runs:
            read: list[SegmentFact] = []
            relations = []
            for relation in columnar.relations:
                is_own = run is not None and relation is driving
                source = sources[relation.name]
                files = run if is_own and run is not None else source.segments
                read += files
                # of what is shared out, one part alone takes the rows that segments lack
                fetch = None if is_own and run is not runs[-1] else source.fetch
                relations.append(
                    RelationPart(
                        relation.name, relation.columns, tuple(one.file for one in files), fetch
                    )
                )
            fragment = ColumnarFragment(
                columnar.sql, tuple(relations), width, settings.max_partial_rows,
                settings.max_partial_bytes, MOST_FETCHED * settings.columnar_fetch_rows,
            )  # fmt: skip
            rows = sum(segment.row_count for segment in read)
            told = "all rows" if run is None or driving is None else words(run, driving.table)
            names = tuple((segment.file.name, segment.id) for segment in read)
            parts.append(ColumnarPart(fragment, told, rows, names))
        return tuple(parts)
