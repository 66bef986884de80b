"""Published catalogs: every version that ever served, with its source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from segserver.storage.contract import Connection


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
    row = connection.execute(
        "INSERT INTO catalogs (version, digest, published_us, publisher, note, documents)"
        " VALUES ((SELECT coalesce(max(version), 0) + 1 FROM catalogs), ?, ?, ?, ?, ?)"
        " RETURNING version",
        [digest, published_us, publisher, note, text],
    ).fetchone()
    return CatalogRow(row[0], digest, published_us, publisher, note)
