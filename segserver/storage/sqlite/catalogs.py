"""Published catalogs: every version that ever served, with its source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
from sqlite_utils.migrations import Migrations

if TYPE_CHECKING:
    from sqlite_utils import Database as Utils

    from segserver.storage.sqlite.database import Connection

migrations = Migrations("segserver.catalogs")


@migrations()
def m001_create(db: Utils) -> None:
    """One row for each publication; a version is never changed."""
    db.execute(
        "CREATE TABLE catalogs (version INTEGER PRIMARY KEY, digest TEXT NOT NULL,"
        " published_us INTEGER NOT NULL, publisher TEXT NOT NULL, note TEXT NOT NULL,"
        " documents TEXT NOT NULL) STRICT"
    )


@dataclass(frozen=True, slots=True)
class CatalogRow:
    """One published version. ``published_us`` is microseconds since the epoch."""

    version: int
    digest: str
    published_us: int
    publisher: str
    note: str


_COLUMNS = "version, digest, published_us, publisher, note"


def latest(connection: Connection) -> CatalogRow | None:
    """The version that serves; ``None`` before the first publication."""
    row = connection.execute(f"SELECT {_COLUMNS} FROM catalogs ORDER BY version DESC LIMIT 1").fetchone()
    return CatalogRow(*row) if row else None


def get(connection: Connection, version: int) -> tuple[CatalogRow, dict[str, str]] | None:
    """A version with its documents (file name to text)."""
    row = connection.execute(
        f"SELECT {_COLUMNS}, documents FROM catalogs WHERE version = ?", [version]
    ).fetchone()
    return (CatalogRow(*row[:-1]), msgspec.json.decode(row[-1], type=dict[str, str])) if row else None


def page(connection: Connection, before: int, count: int) -> Sequence[CatalogRow]:
    """Up to ``count`` versions older than ``before``, newest first."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM catalogs WHERE version < ? ORDER BY version DESC LIMIT ?", [before, count]
    )
    return [CatalogRow(*row) for row in rows]


def add(
    connection: Connection,
    *,
    digest: str,
    published_us: int,
    publisher: str,
    note: str,
    documents: Mapping[str, str],
) -> CatalogRow:
    """Stores the next version. Call it inside the writer's transaction."""
    text = msgspec.json.encode(dict(documents)).decode()
    cursor = connection.execute(
        "INSERT INTO catalogs (version, digest, published_us, publisher, note, documents)"
        " VALUES ((SELECT coalesce(max(version), 0) + 1 FROM catalogs), ?, ?, ?, ?, ?)",
        [digest, published_us, publisher, note, text],
    )
    return CatalogRow(int(cursor.lastrowid or 0), digest, published_us, publisher, note)
