"""The migrations that come with this version, and which of them a database still lacks."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from db.errors import MigrationFailed

_FILE_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")


@dataclass(frozen=True)
class Migration:
    """One file `NNNN_name.sql`: plain SQL that runs in a transaction of its own."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, in hex."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def packaged_migrations() -> list[Migration]:
    """Return the migrations of this version, in order."""
    folder = files("db") / "migrations"
    texts = {f.name: f.read_text("utf-8") for f in folder.iterdir() if f.name.endswith(".sql")}
    return numbered(texts)


def numbered(texts: Mapping[str, str]) -> list[Migration]:
    """Return the migrations of `texts` (file name to SQL) in order.

    Raises MigrationFailed unless they are numbered 0001, 0002, … without a gap or a double.
    """
    migrations: list[Migration] = []
    for name, sql in sorted(texts.items()):
        match = _FILE_NAME.fullmatch(name)
        if match is None or int(match[1]) != len(migrations) + 1:
            raise MigrationFailed(
                f"The migration file {name!r} is not number {len(migrations) + 1:04}."
            )
        migrations.append(Migration(int(match[1]), name.removesuffix(".sql"), sql))
    return migrations


def pending(ours: Sequence[Migration], applied: Iterable[tuple[int, str, str]]) -> list[Migration]:
    """Return those of `ours` that `applied` (version, name, checksum) lacks.

    Raises MigrationFailed when the database was migrated by a newer version, or with other text.
    """
    by_version = {migration.version: migration for migration in ours}
    done = set()
    for version, name, checksum in applied:
        migration = by_version.get(version)
        if migration is None:
            raise MigrationFailed(
                f"The database has migration {name!r}, which this version doesn't know. "
                "A newer Millrace was here: run that one, or restore a backup from before it."
            )
        if migration.checksum != checksum:
            raise MigrationFailed(
                f"Migration {name!r} was applied with other contents than this version's "
                f"{migration.name!r}. Install the version that migrated this database first."
            )
        done.add(version)
    return [migration for migration in ours if migration.version not in done]
