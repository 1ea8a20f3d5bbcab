"""Which migrations a database lacks, and when it must not be touched."""

import pytest

from db.errors import MigrationFailed
from db.migration_files import Migration, numbered, packaged_migrations, pending

FIRST = Migration(1, "0001_first", "SELECT 1")
SECOND = Migration(2, "0002_second", "SELECT 2")


def row(migration: Migration) -> tuple[int, str, str]:
    return migration.version, migration.name, migration.checksum


def test_what_is_missing_is_pending_in_order() -> None:
    assert pending([FIRST, SECOND], []) == [FIRST, SECOND]
    assert pending([FIRST, SECOND], [row(FIRST)]) == [SECOND]
    assert pending([FIRST, SECOND], [row(FIRST), row(SECOND)]) == []


def test_a_migration_applied_with_other_text_is_refused() -> None:
    with pytest.raises(MigrationFailed, match=r"0001_first.*other contents"):
        pending([FIRST, SECOND], [(1, "0001_first", "other")])


def test_a_database_of_a_newer_version_is_refused() -> None:
    with pytest.raises(MigrationFailed, match=r"0002_second.*newer Millrace"):
        pending([FIRST], [row(FIRST), row(SECOND)])


@pytest.mark.parametrize(
    "names", [["0002_a.sql"], ["0001_a.sql", "0001_b.sql"], ["0001_a.sql", "0003_b.sql"], ["a.sql"]]
)
def test_files_are_numbered_without_gap_or_double(names: list[str]) -> None:
    with pytest.raises(MigrationFailed):
        numbered(dict.fromkeys(names, ""))


def test_the_packaged_migrations_leave_the_transaction_to_the_runner() -> None:
    migrations = packaged_migrations()
    assert migrations
    for migration in migrations:
        words = migration.sql.upper().replace(";", " ").split()
        assert not {"COMMIT", "ROLLBACK", "CONCURRENTLY"} & set(words), migration.name
