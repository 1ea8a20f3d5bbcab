# ruff: noqa: E501 - SQL reads best on one line
"""The tables that generated queries run over, and what the generator knows of them."""

from collections.abc import Mapping

_TABLES = """
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE COLLATION plain_libc (provider = libc, locale = 'C');
{collations}
CREATE TABLE t (
    id int PRIMARY KEY, i2 smallint, i4 int, i8 bigint, num numeric, num2 numeric(12,2), f4 real, f8 double precision,
    b boolean, d date, tm time, ts timestamp, tz timestamptz, iv interval, u uuid, raw bytea, js json, jb jsonb,
    ia int[], ta text[], m mood, ch char(5), vc varchar(10), tx text, tc text COLLATE "C",
    ti text COLLATE by_icu, tn text COLLATE any_case, tl text COLLATE plain_libc
);
INSERT INTO t SELECT
    i, (i * 7919 % 41 - 20)::smallint, nullif(i * 31 % 97, 13), i::bigint * 4000000000 % 1000000007,
    CASE i % 5 WHEN 0 THEN 1.0 WHEN 1 THEN 1.00 WHEN 2 THEN i / 10.0 WHEN 3 THEN -i * 1000000.001 END,
    CASE WHEN i % 7 <> 0 THEN (i % 900) / 7.0 - 20 END, CASE WHEN i % 19 <> 0 THEN (i % 11) / 8.0 - 0.5 END,
    CASE WHEN i % 250 = 0 THEN 'NaN' WHEN i % 51 = 0 THEN '-0' WHEN i % 530 = 0 THEN 'Infinity'
         WHEN i % 617 = 0 THEN '-Infinity' WHEN i % 8 <> 0 THEN (i % 13) / 10.0 - 0.5 END,
    CASE i % 3 WHEN 1 THEN true WHEN 2 THEN false END, date '2024-01-01' + nullif(i * 7 % 400, 11),
    time '10:00' + i % 9 * interval '1 minute', timestamp '2024-01-01 10:00' + nullif(i % 90, 7) * interval '1 hour',
    timestamptz '2024-03-30 22:00+00' + i % 90 * interval '17 minutes',
    CASE i % 4 WHEN 0 THEN interval '1 day' WHEN 1 THEN interval '24 hours' WHEN 2 THEN i % 9 * interval '1 month' END,
    CASE WHEN i % 6 <> 0 THEN md5((i % 200)::text)::uuid END, decode(md5((i % 4)::text), 'hex'),
    json_build_object('k', i % 3), jsonb_build_object('k', i % 5, 'l', ARRAY[i % 2, NULL]),
    CASE WHEN i % 9 <> 0 THEN ARRAY[i % 3, NULL, i % 2] END, ARRAY['a' || i % 3, 'q"u,o'],
    (ARRAY['sad','ok','happy',NULL]::mood[])[1 + i % 4], chr(65 + i % 5), nullif('x' || i % 30, 'x7'),
    CASE WHEN i % 17 <> 0 THEN 'g' || i % 10 END,
    (ARRAY['a','B','ä','Z','z', ''])[1 + i % 6], (ARRAY['a','B','ä','Z','é','e'])[1 + i % 6],
    (ARRAY['aa','AA','b','B','Ä', NULL])[1 + i % 6], (ARRAY['_','B','ab','Ab','ä'])[1 + i % 5]
  FROM generate_series(1, 1600) AS i;
DELETE FROM t WHERE id % 9 = 0;
UPDATE t SET i4 = i4 + 1 WHERE id % 10 = 1;
CREATE TABLE s (id int PRIMARY KEY, t_id int, w numeric(8,3), label text, i4 int, d date, f8 double precision);
INSERT INTO s SELECT i, i * 3 % 2000, i / 8.0, 'l' || i % 6, nullif(i % 23, 5), date '2024-01-01' + i % 50, i / 3.0
  FROM generate_series(1, 400) AS i;
CREATE TABLE skew (id bigint PRIMARY KEY, k int, g text, v numeric(10,2), f4 real);
INSERT INTO skew SELECT i, CASE WHEN i % 20 = 0 THEN i % 300 ELSE 7 END, CASE WHEN i % 33 = 0 THEN 'rare' || i % 4 ELSE 'common' END,
    i % 50 * 1.25, i % 7 FROM generate_series(1, 2400) AS i;
CREATE TABLE nully (id int PRIMARY KEY, i4 int, num numeric, f8 double precision, tx text, b boolean, d date, iv interval, ia int[], m mood);
INSERT INTO nully SELECT i, CASE WHEN i % 40 = 0 THEN i END, CASE WHEN i % 50 = 0 THEN i / 4.0 END,
    CASE WHEN i % 60 = 0 THEN i END, CASE WHEN i % 70 = 0 THEN 'only' END, CASE WHEN i % 30 = 0 THEN i % 4 = 0 END,
    CASE WHEN i % 80 = 0 THEN date '2024-02-29' END FROM generate_series(1, 1500) AS i;
CREATE TABLE empty (id int PRIMARY KEY, i4 int, tx text, num numeric, f8 double precision, b boolean, d date);
CREATE TABLE one (id int PRIMARY KEY, i4 int, tx text, num numeric);
INSERT INTO one VALUES (1, 42, 'one', 1.50);
CREATE TABLE shrunk (gone1 int, id int, gone2 text, i4 int, tx text, gone3 numeric);
INSERT INTO shrunk SELECT i, i, 'gone', i % 50, 'g' || i % 7, i FROM generate_series(1, 2000) AS i;
ALTER TABLE shrunk DROP COLUMN gone1, DROP COLUMN gone2, DROP COLUMN gone3, ADD COLUMN num numeric(6,2) DEFAULT 7.5;
DELETE FROM shrunk WHERE id % 3 = 0 OR id BETWEEN 500 AND 900;
CREATE TABLE parted (id int, i4 int, tx text, num numeric(9,3), d date) PARTITION BY RANGE (id);
CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (0) TO (400);
CREATE TABLE parted_mid PARTITION OF parted FOR VALUES FROM (400) TO (800) PARTITION BY LIST (tx);
CREATE TABLE parted_mid_a PARTITION OF parted_mid FOR VALUES IN ('p0', 'p1');
CREATE TABLE parted_mid_rest PARTITION OF parted_mid DEFAULT;
CREATE TABLE parted_high (tx text, d date, id int, num numeric(9,3), i4 int);
ALTER TABLE parted ATTACH PARTITION parted_high FOR VALUES FROM (800) TO (1200);
CREATE TABLE parted_rest PARTITION OF parted DEFAULT;
INSERT INTO parted SELECT i, i % 37, nullif('p' || i % 5, 'p4'), i / 8.0, date '2024-01-01' + i % 30 FROM generate_series(1, 1500) AS i;
CREATE TABLE parent (id int, i4 int, tx text);
CREATE TABLE child (extra int) INHERITS (parent);
INSERT INTO parent SELECT i, i % 11, 'q' || i % 3 FROM generate_series(1, 700) AS i;
INSERT INTO child SELECT i, i % 11, 'q' || i % 4, i FROM generate_series(701, 1500) AS i;
CREATE VIEW seen AS SELECT id, i4, tx, num2 AS num FROM t WHERE i4 > 20;
CREATE VIEW summed AS SELECT tx, count(*) AS i8, sum(num2) AS num FROM t GROUP BY tx;
CREATE MATERIALIZED VIEW kept AS SELECT id, i4, tx, tn, num2 AS num FROM t WHERE id % 2 = 0;
CREATE TABLE secured (id int PRIMARY KEY, i4 int, tx text);
INSERT INTO secured SELECT i, i % 13, 'r' || i % 3 FROM generate_series(1, 1000) AS i;
ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
CREATE POLICY evens ON secured USING (i4 % 2 = 0);
CREATE TABLE t_pristine AS TABLE t;
"""

# not every build of PostgreSQL has ICU; its own provider stands in, and nothing for case-blindness
_ICU = """CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE COLLATION by_icu (provider = icu, locale = 'de-u-kf-upper');"""
_NO_ICU = """CREATE COLLATION any_case (provider = libc, locale = 'C');
CREATE COLLATION by_icu (provider = builtin, locale = 'C.UTF-8');"""


def statements(*, icu: bool) -> list[str]:
    """Return the statements that make the tables, on a server with or without ICU."""
    return _TABLES.replace("{collations}", _ICU if icu else _NO_ICU).split(";\n")


# column → kind; a kind is a set of types that the generator may mix freely
_T = {
    "id": "int", "i2": "int", "i4": "int", "i8": "int", "num": "numeric", "num2": "numeric",
    "f4": "float", "f8": "float", "b": "bool", "d": "date", "tm": "time", "ts": "timestamp",
    "tz": "timestamptz", "iv": "interval", "u": "uuid", "raw": "bytea", "js": "json",
    "jb": "jsonb", "ia": "ints", "ta": "texts", "m": "mood", "ch": "char", "vc": "text",
    "tx": "text", "tc": "text", "ti": "text", "tn": "folded", "tl": "text",
}  # fmt: skip
COLUMNS: Mapping[str, Mapping[str, str]] = {
    "t": _T,
    "s": {"id": "int", "t_id": "int", "w": "numeric", "label": "text", "i4": "int", "d": "date", "f8": "float"},
    "skew": {"id": "int", "k": "int", "g": "text", "v": "numeric", "f4": "float"},
    "nully": {"id": "int", "i4": "int", "num": "numeric", "f8": "float", "tx": "text", "b": "bool", "d": "date",
              "iv": "interval", "ia": "ints", "m": "mood"},
    "empty": {"id": "int", "i4": "int", "tx": "text", "num": "numeric", "f8": "float", "b": "bool", "d": "date"},
    "one": {"id": "int", "i4": "int", "tx": "text", "num": "numeric"},
    "shrunk": {"id": "int", "i4": "int", "tx": "text", "num": "numeric"},
    "parted": {"id": "int", "i4": "int", "tx": "text", "num": "numeric", "d": "date"},
    "parent": {"id": "int", "i4": "int", "tx": "text"},
    "seen": {"id": "int", "i4": "int", "tx": "text", "num": "numeric"},
    "summed": {"tx": "text", "i8": "int", "num": "numeric"},
    "kept": {"id": "int", "i4": "int", "tx": "text", "tn": "folded", "num": "numeric"},
    "secured": {"id": "int", "i4": "int", "tx": "text"},
}  # fmt: skip

# What a scattered query meets between its fragments, by the tables that it names, and what takes
# that back; `{n}` stands for a remainder of ids, so that all blocks of the tables are touched.
MODULUS = 197
WRITES: Mapping[str, tuple[str, ...]] = {
    "t": (
        "DELETE FROM t WHERE id % 197 = {n}",
        "UPDATE t SET i4 = i4 + 1000, num2 = num2 + 1, tx = 'moved' WHERE id % 197 = ({n} + 1) % 197",
        "INSERT INTO t (id, i4, num2, tx) SELECT 100000 + i, i + {n}, 5, 'new' FROM generate_series(1, 20) AS i",
    ),
    "skew": ("UPDATE skew SET v = v + 1, k = k + 1 WHERE id % 197 = {n}",),
    "s": ("UPDATE s SET w = w + 1 WHERE id % 197 = {n}",),
    # into another partition
    "parted": ("UPDATE parted SET id = id + 100000 WHERE id % 197 = {n}",),
}
UNDO: Mapping[str, tuple[str, ...]] = {
    "t": (
        "DELETE FROM t WHERE id > 100000 OR id % 197 = ({n} + 1) % 197",
        "INSERT INTO t SELECT * FROM t_pristine WHERE id % 197 IN ({n}, ({n} + 1) % 197)",
    ),
    "skew": ("UPDATE skew SET v = v - 1, k = k - 1 WHERE id % 197 = {n}",),
    "s": ("UPDATE s SET w = w - 1 WHERE id % 197 = {n}",),
    "parted": ("UPDATE parted SET id = id - 100000 WHERE id > 100000",),
}
