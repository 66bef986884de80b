"""Callers, the hashes of their API keys, and the certificates that they may come with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from segserver.errors import Conflict, FailedPrecondition, NotFound

if TYPE_CHECKING:
    from segserver.storage.contract import Connection


@dataclass(frozen=True, slots=True)
class CallerRow:
    """One caller. Times are microseconds since the epoch; roles and purposes are sorted, space-separated."""

    name: str
    roles: str
    purposes: str
    created_us: int
    revoked_us: int | None


@dataclass(frozen=True, slots=True)
class KeyRow:
    """An API key of a caller, without the key; a caller's keys count from 1."""

    name: str
    number: int
    created_us: int
    expires_us: int | None


_COLUMNS = "callers.name, roles, purposes, callers.created_us, revoked_us"


def find(connection: Connection, key_hash: bytes) -> tuple[CallerRow, int | None] | None:
    """The caller with this key and when the key expires; revoked and expired ones too."""
    row = connection.execute(
        f"SELECT {_COLUMNS}, expires_us FROM callers JOIN caller_keys ON caller_keys.name = callers.name"
        " WHERE key_hash = ?",
        [key_hash],
    ).fetchone()
    return (CallerRow(*row[:-1]), row[-1]) if row else None


def find_by_certificate(connection: Connection, identities: Sequence[str]) -> Sequence[CallerRow]:
    """The callers who may come with a certificate for one of these identities, revoked ones too."""
    places = ", ".join("?" * len(identities))
    rows = connection.execute(
        f"SELECT DISTINCT {_COLUMNS} FROM callers JOIN caller_certificates"
        f" ON caller_certificates.name = callers.name WHERE identity IN ({places})",
        identities,
    )
    return [CallerRow(*row) for row in rows]


def listing(connection: Connection) -> Sequence[CallerRow]:
    """All callers by name."""
    return [CallerRow(*row) for row in connection.execute(f"SELECT {_COLUMNS} FROM callers ORDER BY name")]


def keys(connection: Connection) -> Sequence[KeyRow]:
    """The keys of all callers, by name and number."""
    rows = connection.execute(
        "SELECT name, number, created_us, expires_us FROM caller_keys ORDER BY name, number"
    )
    return [KeyRow(*row) for row in rows]


def certificates(connection: Connection) -> Sequence[tuple[str, str]]:
    """Who may come with which certificate: names and identities, sorted."""
    rows = connection.execute("SELECT name, identity FROM caller_certificates ORDER BY name, identity")
    return [(name, identity) for name, identity in rows]


def add(
    connection: Connection, *, name: str, roles: Iterable[str], purposes: Iterable[str], created_us: int
) -> None:
    """Adds a caller, who has neither key nor certificate yet. Raises :class:`Conflict` when the name is
    taken; a revoked name stays taken, for the log's sake.
    """
    taken = connection.execute("SELECT 1 FROM callers WHERE name = ?", [name]).fetchone()
    if taken:
        raise Conflict(f"a caller named {name} exists; choose another name", reason="CALLER_EXISTS")
    connection.execute(
        "INSERT INTO callers (name, roles, purposes, created_us) VALUES (?, ?, ?, ?)",
        [name, " ".join(sorted(roles)), " ".join(sorted(purposes)), created_us],
    )


def add_certificate(connection: Connection, name: str, identity: str) -> None:
    """Lets a caller come with certificates for an identity. Raises :class:`Conflict` when it is another's."""
    row = connection.execute("SELECT name FROM caller_certificates WHERE identity = ?", [identity]).fetchone()
    if row:
        raise Conflict(f"{identity} is the certificate of {row[0]}", reason="CERTIFICATE_TAKEN")
    connection.execute("INSERT INTO caller_certificates (identity, name) VALUES (?, ?)", [identity, name])


def add_key(
    connection: Connection,
    *,
    name: str,
    key_hash: bytes,
    created_us: int,
    expires_us: int | None,
    former_until_us: int,
) -> None:
    """Gives a caller a new key. The one before it holds until ``former_until_us`` at the latest, and those
    before that one no longer.

    Raises :class:`NotFound` for an unknown caller, :class:`FailedPrecondition` for a revoked one."""
    caller = connection.execute("SELECT revoked_us FROM callers WHERE name = ?", [name]).fetchone()
    if caller is None:
        raise _unknown(name)
    if caller[0] is not None:
        raise FailedPrecondition(
            f"{name} is revoked; add a caller with another name", reason="CALLER_REVOKED"
        )
    row = connection.execute("SELECT MAX(number) FROM caller_keys WHERE name = ?", [name]).fetchone()
    number = row[0] or 0
    connection.execute("DELETE FROM caller_keys WHERE name = ? AND number < ?", [name, number])
    connection.execute(
        "UPDATE caller_keys SET expires_us = ?1 WHERE name = ?2 AND (expires_us IS NULL OR expires_us > ?1)",
        [former_until_us, name],
    )
    connection.execute(
        "INSERT INTO caller_keys (key_hash, name, number, created_us, expires_us) VALUES (?, ?, ?, ?, ?)",
        [key_hash, name, number + 1, created_us, expires_us],
    )


def revoke(connection: Connection, name: str, revoked_us: int) -> None:
    """Marks a caller as revoked; servers look within a second. Raises :class:`NotFound`."""
    cursor = connection.execute(
        "UPDATE callers SET revoked_us = coalesce(revoked_us, ?) WHERE name = ?", [revoked_us, name]
    )
    if cursor.rowcount == 0:
        raise _unknown(name)


def _unknown(name: str) -> NotFound:
    return NotFound(f"no caller is named {name}", reason="CALLER_NOT_FOUND")
