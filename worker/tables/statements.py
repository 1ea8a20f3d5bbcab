"""The statements by which a side is read: each over many ranges of the key at once."""

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from jobs.tables import sql_text
from jobs.tables.canonical import payload, value
from jobs.tables.comparison import KeyPart, Reading
from worker.tables.key_range import Key, KeyRange

Algorithm: TypeAlias = Literal["lookup3-128", "sha256-128"]

# any two different numbers: each starts PostgreSQL's hash of a text from another state
SEEDS = (0x4D696C6C72616365, 0x5461626C65537564)
BYTEA_TO_INT8 = 180000  # the version that has this cast

LONGEST_SHOWN = 10_000  # bytes of a value; of a longer one its beginning and digest are shown


class Statements:
    """Texts of statements on one side.  `t` is the name of what is read inside them."""

    def __init__(self, reading: Reading, where: str | None, algorithm: Algorithm) -> None:
        self._key = reading.key
        self._reading = reading
        self._algorithm = algorithm
        self._is_indexed = reading.is_indexed
        self._order = ", ".join(part.order for part in reading.key)
        self._payload = payload(reading.columns)
        self._where = where
        self._source = self._from("")

    def _from(self, sampled: str) -> str:
        if self._where is None:
            return f"{self._reading.relation.sql} AS t{sampled}"
        # the line break ends what may end in a comment
        return (
            f"(SELECT * FROM {self._reading.relation.sql}{sampled} WHERE (\n{self._where}\n)) AS t"
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that are compared, in order."""
        return tuple(column.name for column, _ in self._reading.columns)

    def checksums(self, ranges: Sequence[KeyRange]) -> str:
        """By number of range, without those that are empty: rows, and a sum for each half."""
        hashed, halves = self._hashed(self._ranged(ranges, f"{self._payload} AS m"))
        sums = ", ".join(f"sum({half})" for half in halves)
        return f"SELECT n, count(*), {sums} FROM ({hashed}) AS g GROUP BY n"

    def hashes(self, ranges: Sequence[KeyRange]) -> str:
        """For each row in the ranges: the key's texts and both halves of its hash."""
        texts = [f"{part.text} AS k{place}" for place, part in enumerate(self._key)]
        inner = self._ranged(ranges, ", ".join([*texts, f"{self._payload} AS m"]))
        hashed, halves = self._hashed(inner)
        keys = [f"k{place}" for place in range(len(self._key))]
        return f"SELECT {', '.join([*keys, *halves])} FROM ({hashed}) AS g"

    def cuts(self, ranges: Sequence[KeyRange], steps: Mapping[int, int]) -> str:
        """By number of range, in order: keys that are so many rows apart as `steps` says."""
        orders = [f"{part.order} AS k{place}" for place, part in enumerate(self._key)]
        keys = ", ".join(f"k{place}" for place in range(len(self._key)))
        every = ", ".join(f"({number}, {step})" for number, step in steps.items())
        return f"""SELECT n, {keys} FROM (
    SELECT n, {keys}, row_number() OVER (PARTITION BY n ORDER BY {keys}) AS place
      FROM ({self._ranged(ranges, ", ".join(orders))}) AS g) AS g
  JOIN (VALUES {every}) AS s (n, step) USING (n)
 WHERE place > 1 AND place % step = 1 ORDER BY n, {keys}"""

    def walk(self, span: KeyRange, rows: int, step: int) -> str:
        """Keys from the span's first on, `step` rows apart, up to the one that `rows` precede."""
        orders = [f"{part.order} AS k{place}" for place, part in enumerate(self._key)]
        keys = ", ".join(f"k{place}" for place in range(len(self._key)))
        return f"""SELECT place, {keys} FROM (
    SELECT {", ".join(orders)}, row_number() OVER (ORDER BY {self._order}) AS place
      FROM {self._source} WHERE {self._within(span)} ORDER BY {self._order} LIMIT {rows + 1}) AS g
 WHERE place % {step} = 1 OR place = {rows + 1} ORDER BY place"""

    def behind(self, span: KeyRange, rows: int) -> str:
        """The key in the span that so many rows precede."""
        orders = ", ".join(part.order for part in self._key)
        return (
            f"SELECT {orders} FROM {self._source} WHERE {self._within(span)} "
            f"ORDER BY {orders} OFFSET {rows} LIMIT 1"
        )

    def sample(self, most: int, percent: float | None) -> str:
        """Keys of up to `most` rows by chance, in order; of so many percent of the pages, if so."""
        keys = ", ".join(f"k{place}" for place in range(len(self._key)))
        orders = ", ".join(f"{part.order} AS k{place}" for place, part in enumerate(self._key))
        pages = "" if percent is None else f" TABLESAMPLE SYSTEM ({percent:.6f})"
        return f"""SELECT {keys} FROM (
    SELECT {orders} FROM {self._from(pages)} ORDER BY random() LIMIT {most}) AS g
 ORDER BY {keys}"""

    def sorted(self, keys: Sequence[Key]) -> str:
        """Return the keys in order, each once."""
        names = ", ".join(f"k{place}" for place in range(len(self._key)))
        rows = ", ".join(f"({', '.join(self._literals(key))})" for key in keys)
        order = ", ".join(f"k{place}{part.collate}" for place, part in enumerate(self._key))
        values = f"(VALUES {rows}) AS v ({names})"
        return f"SELECT DISTINCT ON ({order}) {names} FROM {values} ORDER BY {order}"

    def stream(self, within: KeyRange) -> str:
        """Every row of a range in the key's order: the key's texts, then the columns' values."""
        return (
            f"SELECT {self._shown()} FROM {self._source} WHERE {self._within(within)} "
            f"ORDER BY {self._order}"
        )

    def rows(self, keys: Sequence[Key]) -> str:
        """Rows by their keys: the key's texts, then the columns' values."""
        names = [f"k{place}" for place in range(len(self._key))]
        rows = ", ".join(f"({', '.join(self._literals(key))})" for key in keys)
        joined = " AND ".join(
            f"{part.order} = v.{name}" for part, name in zip(self._key, names, strict=True)
        )
        return (
            f"SELECT {self._shown()} FROM (VALUES {rows}) AS v ({', '.join(names)}) "
            f"JOIN {self._source} ON {joined}"
        )

    def null_keys(self, columns: Sequence[str]) -> str:
        """Whether a row has no key."""
        tests = " OR ".join(f"t.{sql_text.name(one)} IS NULL" for one in columns)
        return f"SELECT EXISTS (SELECT FROM {self._source} WHERE {tests})"

    def _shown(self) -> str:
        shown = [part.text for part in self._key]
        for column, fixed in self._reading.columns:
            text = f"({value(column, fixed=fixed)})::text"
            digest = f"encode(sha256(convert_to({text}, 'UTF8')), 'hex')"
            shown.append(
                f"CASE WHEN octet_length({text}) <= {LONGEST_SHOWN} THEN {text} "
                f"ELSE left({text}, {LONGEST_SHOWN // 4}) || '… (' || octet_length({text}) || "
                f"' bytes, SHA-256 ' || {digest} || ')' END"
            )
        return ", ".join(shown)

    def _hashed(self, ranged: str) -> tuple[str, tuple[str, str]]:
        if self._algorithm == "lookup3-128":
            high, low = (f"hashtextextended(m, {seed})" for seed in SEEDS)
            return ranged, (high, low)
        others = "".join(f", k{place}" for place in range(len(self._key)) if " AS k" in ranged)
        digest = "sha256(convert_to(m, 'UTF8'))"
        if self._reading.relation.version >= BYTEA_TO_INT8:
            halves = ("substr(d, 1, 8)::int8", "substr(d, 9, 8)::int8")
        else:
            digest = f"encode({digest}, 'hex')"
            high, low = (f"('x' || substr(d, {at}, 16))::bit(64)::int8" for at in (1, 17))
            halves = (high, low)
        # OFFSET 0: computed once, and not for each half
        return f"SELECT n{others}, {digest} AS d FROM ({ranged}) AS h OFFSET 0", halves

    def _ranged(self, ranges: Sequence[KeyRange], select: str) -> str:
        """Return rows of all ranges, which are in order and apart: `n`, the range's, and `select`.

        With an index, a lookup for each; without one, a single pass that finds each row's range.
        """
        if self._is_indexed:
            return self._looked_up(ranges, select)
        tree = self._decision(ranges, 0, len(ranges))
        # the inner one is not merged into the outer, or each row's range would be found twice
        return f"""SELECT t."millrace n" AS n, {select} FROM (
    SELECT {tree} AS "millrace n", t.* FROM {self._source} OFFSET 0) AS t
 WHERE t."millrace n" IS NOT NULL"""

    def _looked_up(self, ranges: Sequence[KeyRange], select: str) -> str:
        parts = []
        bounded = []
        for number, one in enumerate(ranges):
            if one.low is not None and one.high is not None:
                values = [*self._literals(one.low), *self._literals(one.high)]
                bounded.append(f"({number}, {', '.join(values)})")
            else:
                parts.append(
                    f"SELECT {number} AS n, x.* FROM (SELECT {select} FROM {self._source} "
                    f"WHERE {self._within(one)} OFFSET 0) AS x"
                )
        if bounded:
            lows = [f"low{place}" for place in range(len(self._key))]
            highs = [f"high{place}" for place in range(len(self._key))]
            orders = sql_text.row(part.order for part in self._key)
            low = sql_text.row(f"r.{one}" for one in lows)
            high = sql_text.row(f"r.{one}" for one in highs)
            parts.append(
                f"SELECT r.n, x.* FROM (VALUES {', '.join(bounded)}) "
                f"AS r (n, {', '.join([*lows, *highs])}), LATERAL (SELECT {select} "
                f"FROM {self._source} WHERE {orders} >= {low} AND {orders} < {high} OFFSET 0) AS x"
            )
        return " UNION ALL ".join(parts)

    def _decision(self, ranges: Sequence[KeyRange], start: int, end: int) -> str:
        """Return the number of a row's range among those from `start` to `end`, or NULL."""
        if end - start == 1:
            return f"CASE WHEN {self._within(ranges[start])} THEN {start} END"
        middle = (start + end) // 2
        low = ranges[middle].low
        before = self._within(KeyRange(None, low))
        return (
            f"CASE WHEN {before} THEN {self._decision(ranges, start, middle)} "
            f"ELSE {self._decision(ranges, middle, end)} END"
        )

    def _within(self, one: KeyRange) -> str:
        orders = sql_text.row(part.order for part in self._key)
        tests = []
        if one.low is not None:
            tests.append(f"{orders} >= {sql_text.row(self._literals(one.low))}")
        if one.high is not None:
            tests.append(f"{orders} < {sql_text.row(self._literals(one.high))}")
        return " AND ".join(tests) or "true"

    def _literals(self, key: Key) -> list[str]:
        return [_typed(part, text) for part, text in zip(self._key, key, strict=True)]


def _typed(part: KeyPart, text: str) -> str:
    return f"{sql_text.literal(text)}::{part.type}"
