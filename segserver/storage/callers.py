"""Callers and the hashes of their API keys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from segserver.errors import Conflict, NotFound

if TYPE_CHECKING:
    from segserver.storage.contract import Connection


@dataclass(frozen=True, slots=True)
class CallerRow:
    """One caller. Times are microseconds since the epoch; roles and purposes are sorted, space-separated."""

    name: str
    roles: str
    purposes: str
    created_us: int
    expires_us: int | None
    revoked_us: int | None


_COLUMNS = "name, roles, purposes, created_us, expires_us, revoked_us"


def find(connection: Connection, key_hash: bytes) -> CallerRow | None:
    """The caller with this key, revoked and expired ones too."""
    row = connection.execute(f"SELECT {_COLUMNS} FROM callers WHERE key_hash = ?", [key_hash]).fetchone()
    return CallerRow(*row) if row else None


def listing(connection: Connection) -> Sequence[CallerRow]:
    """All callers by name."""
    return [CallerRow(*row) for row in connection.execute(f"SELECT {_COLUMNS} FROM callers ORDER BY name")]


def add(
    connection: Connection,
    *,
    name: str,
    key_hash: bytes,
    roles: Iterable[str],
    purposes: Iterable[str],
    created_us: int,
    expires_us: int | None = None,
) -> None:
    """Adds a caller. Raises :class:`Conflict` when the name is taken; a revoked name stays taken, for the
    log's sake.
    """
    taken = connection.execute("SELECT 1 FROM callers WHERE name = ?", [name]).fetchone()
    if taken:
        raise Conflict(f"a caller named {name} exists; choose another name", reason="CALLER_EXISTS")
    connection.execute(
        "INSERT INTO callers (name, key_hash, roles, purposes, created_us, expires_us)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        [name, key_hash, " ".join(sorted(roles)), " ".join(sorted(purposes)), created_us, expires_us],
    )


def revoke(connection: Connection, name: str, revoked_us: int) -> None:
    """Marks a caller as revoked; servers look within a second. Raises :class:`NotFound`."""
    cursor = connection.execute(
        "UPDATE callers SET revoked_us = coalesce(revoked_us, ?) WHERE name = ?", [revoked_us, name]
    )
    if cursor.rowcount == 0:
        raise NotFound(f"no caller is named {name}", reason="CALLER_NOT_FOUND")
