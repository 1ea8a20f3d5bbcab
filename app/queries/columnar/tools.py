"""What the query service needs for queries over segments."""

from dataclasses import dataclass

from app.queries.columnar.known_tables import KnownTables
from app.queries.columnar.partials import PartialCache
from app.queries.columnar.times import Times
from db.tracking.asked import TablesAsked


@dataclass(frozen=True)
class ColumnarTools:
    """The accelerated tables, the partials that are kept, how long queries took, and of what."""

    known: KnownTables
    partials: PartialCache
    times: Times
    asked: TablesAsked
