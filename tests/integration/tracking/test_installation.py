"""Tables are tracked, cut and released again, or refused with the reason."""

import pytest

from db.tracking.buckets import Cut, KeyRange
from db.tracking.cuts import choose_cuts
from db.tracking.errors import CutsDoNotFit, NotTracked, TableBusy, TableRefused
from db.tracking.installation import Installation, LockRules, cut_anew
from db.tracking.keys import KEY_TYPES, key_type
from db.tracking.refusals import REFUSALS
from db.tracking.tracked_table import current_buckets, tracked_tables
from tests.integration.tracking.conftest import World

_REFUSED = {
    "system": ("pg_catalog.pg_class",),
    "partitioned": (
        "public.t",
        "CREATE TABLE t (id int PRIMARY KEY) PARTITION BY RANGE (id)",
    ),
    "kind": ("public.t", "CREATE VIEW t AS SELECT 1 AS id"),
    "partition": (
        "public.t",
        "CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id)",
        "CREATE TABLE t PARTITION OF p DEFAULT",
    ),
    "inheritance": (
        "public.t",
        "CREATE TABLE t (id int PRIMARY KEY)",
        "CREATE TABLE child () INHERITS (t)",
    ),
    "unlogged": ("public.t", "CREATE UNLOGGED TABLE t (id int PRIMARY KEY)"),
    "row-security": (
        "public.t",
        "CREATE TABLE t (id int PRIMARY KEY)",
        "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
    ),
    "triggers": (
        "public.t",
        "CREATE TABLE t (id int PRIMARY KEY)",
        "CREATE TRIGGER millrace_mine BEFORE UPDATE ON t "
        "EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    ),
    "no-key": ("public.t", "CREATE TABLE t (id int)"),
    "null-key": ("public.t", "CREATE TABLE t (id int UNIQUE)"),
    "key-type": ("public.t", "CREATE TABLE t (id numeric(9,2) PRIMARY KEY)"),
    "accelerated": ("public.items",),
    "missing": ("public.nothing",),
}
# the session that asks is another than that which has a temporary table; and of the owner below
_OTHERWISE = {"temporary", "owner"}


def test_every_refusal_is_tried() -> None:
    assert {refusal.code for refusal in REFUSALS} | {"missing"} == set(_REFUSED) | _OTHERWISE


@pytest.mark.parametrize("code", _REFUSED)
def test_a_table_is_refused_with_its_reason(world: World, code: str) -> None:
    name, *statements = _REFUSED[code]
    world.run(*statements)
    schema, table = name.split(".")
    with world.own.connection() as owner, pytest.raises(TableRefused) as refused:
        world.installation.install(owner, schema, table, [])
    assert refused.value.code == code
    assert f'"{schema}"."{table}"' in str(refused.value)


def test_a_temporary_table_is_refused(bare: World) -> None:
    with bare.own.connection() as owner:
        owner.execute("CREATE TEMP TABLE t (id int PRIMARY KEY)")
        row = owner.execute("SELECT nspname FROM pg_namespace WHERE oid = pg_my_temp_schema()")
        (schema,) = row.fetchone() or ("",)
        with pytest.raises(TableRefused) as refused:
            bare.installation.install(owner, str(schema), "t", [])
    assert refused.value.code == "temporary"


def test_a_table_of_another_owner_is_refused(bare: World, role: str) -> None:
    bare.run(
        f"CREATE ROLE {role}", f"GRANT ALL ON SCHEMA millrace, public TO {role}",
        f"GRANT ALL ON ALL TABLES IN SCHEMA millrace TO {role}",
    )  # fmt: skip
    try:
        with bare.own.connection() as owner:
            owner.execute(f"SET ROLE {role}".encode())
            with pytest.raises(TableRefused) as refused:
                bare.installation.install(owner, "public", "items", [])
        assert refused.value.code == "owner"
    finally:
        bare.run(f"DROP OWNED BY {role}")


def test_a_lock_that_others_hold_is_not_waited_for(bare: World) -> None:
    with bare.session() as session:
        session.execute("BEGIN")
        session.execute("DELETE FROM items WHERE id = 1")
        hasty = Installation(LockRules(wait_s=0.05, attempts=3, pause_s=0.01))
        with bare.own.connection() as owner, pytest.raises(TableBusy):
            hasty.install(owner, "public", "items", [])
        with bare.own.connection() as owner:
            assert tracked_tables(owner) == []
        session.execute("COMMIT")
    bare.track()
    assert bare.dirty() == set()


def test_what_was_installed_is_removed_without_a_trace(world: World) -> None:
    world.run("UPDATE items SET amount = 0 WHERE id = 1", "ALTER TABLE items RENAME TO things")
    with world.own.connection() as owner:
        world.installation.remove(owner, world.table.oid)
    with world.session() as session:
        (traces,) = session.execute(
            "SELECT (SELECT count(*) FROM pg_trigger WHERE tgrelid = 'things'::regclass) + "
            "(SELECT count(*) FROM pg_proc WHERE proname LIKE 'track\\_%') + "
            "(SELECT count(*) FROM millrace.table_changes) + "
            "(SELECT count(*) FROM millrace.segments) + (SELECT count(*) FROM millrace.buckets)"
        ).fetchone() or (None,)
    assert traces == 0
    with world.own.connection() as owner, pytest.raises(NotTracked):
        world.installation.remove(owner, world.table.oid)
    world.run("ALTER TABLE things RENAME TO items")
    before = world.table.id
    world.track()
    assert world.table.id != before
    assert world.dirty() == set()


def test_a_dropped_tables_tracking_can_be_removed(world: World) -> None:
    world.run("DROP TABLE items")
    with world.own.connection() as owner:
        world.installation.remove(owner, world.table.oid)
        assert tracked_tables(owner) == []


def test_cuts_must_rise_and_buckets_be_neighbours(world: World) -> None:
    with world.own.connection() as owner:
        for replaced, cuts in (
            (world.buckets[:1], [Cut("300", 300)]),
            (world.buckets[:1], [Cut("2", 2), Cut("1", 1)]),
            ([world.buckets[0], world.buckets[2]], []),
            ([], []),
        ):
            with pytest.raises(CutsDoNotFit):
                cut_anew(owner, world.table.oid, replaced, cuts)
        cut_anew(owner, world.table.oid, world.buckets[:2], [])
        with pytest.raises(CutsDoNotFit):
            cut_anew(owner, world.table.oid, world.buckets[:2], [])
        assert len(current_buckets(owner, world.table.id)) == 3


_KEYS = {
    "smallint": "n::smallint",
    "integer": "n * 1000",
    "bigint": "n * 10000000000 - 5000000000000",
    "date": "'4000-01-01 BC'::date + n * 3000",
    "timestamp without time zone": "'4000-01-01 BC'::timestamp + n * interval '9 years 1 us'",
    "timestamp with time zone": "'1900-01-01 UTC'::timestamptz + n * interval '70 days 1 us'",
    "uuid": "md5(n::text)::uuid",
}


@pytest.mark.parametrize("name", KEY_TYPES)
def test_each_type_of_key_is_cut_evenly_and_its_writes_are_told_apart(
    bare: World, name: str
) -> None:
    bare.run(
        f'CREATE TABLE t AS SELECT {_KEYS[name]} AS "a key", n FROM generate_series(1, 1000) n',
        'ALTER TABLE t ADD PRIMARY KEY ("a key")',
    )
    with bare.own.connection() as owner:
        (identifier,) = [
            table.identifier for table in [bare.installation.install(owner, "public", "t", [])]
        ]
        cuts = choose_cuts(owner, identifier, "a key", key_type(name), rows=200)
        assert 5 <= len(cuts) <= 6
        (table,) = tracked_tables(owner)
        buckets = cut_anew(owner, table.oid, current_buckets(owner, table.id), cuts)
    bounds = [(bucket.range.lower, bucket.range.upper) for bucket in buckets]
    for number, (lower, upper) in enumerate(bounds):
        conditions = [f"\"a key\" >= '{lower.key}'"] if lower else []
        conditions += [f"\"a key\" < '{upper.key}'"] if upper else []
        with bare.session() as session:
            changed = session.execute(
                f"UPDATE t SET n = 0 WHERE {' AND '.join(conditions)}".encode()
            ).rowcount
            logged = session.execute("DELETE FROM millrace.table_changes RETURNING bucket")
            assert logged.fetchall() == [(buckets[number].id,)]
        assert 1 <= changed <= 200
    half = KeyRange(*bounds[1])
    with bare.own.connection() as owner:
        inner = choose_cuts(owner, identifier, "a key", key_type(name), rows=50, span=half)
    assert len(inner) == 4
    ranks = [half.lower.rank if half.lower else 0, *(cut.rank for cut in inner)]
    assert ranks == sorted(set(ranks))
