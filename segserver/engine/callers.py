"""Callers: who they are by their API key, and the operator's commands about them."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Iterable, Sequence

from segserver.audit.entry import Entry, Kind, encode, timestamp_us
from segserver.errors import InvalidInput, Unauthenticated
from segserver.model import NAME, Caller, Role
from segserver.storage import callers
from segserver.storage.callers import CallerRow
from segserver.storage.contract import Connection
from segserver.storage.writer import Writer

KEY_PREFIX = "segserver_"
"""Keys are recognizable, so that scanners find a leaked one."""

KEY_BYTES = 32
DAY_US = 86_400_000_000

REMEMBERED_S = 1.0
"""How long what the store says of a key is believed."""

_UNKNOWN = "the API key is missing, unknown, expired or revoked"


def new_key() -> str:
    """An API key with 256 random bits. It is shown once and kept nowhere."""
    return KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES)


def hash_key(key: str) -> bytes:
    """What is stored of a key."""
    return hashlib.sha256(key.encode()).digest()


def check_caller(name: str, roles: Iterable[str], purposes: Iterable[str]) -> None:
    """Raises :class:`InvalidInput` for a name, a role or a purpose that can't be one."""
    if not NAME.fullmatch(name.replace("-", "_")):
        raise InvalidInput.of("name", "use lower-case letters, digits, - and _, beginning with a letter")
    known = {role.value for role in Role}
    for role in roles:
        if role not in known:
            raise InvalidInput.of("roles", f"no such role; choose among {', '.join(sorted(known))}")
    for purpose in purposes:
        if purpose != "*" and not NAME.fullmatch(purpose):
            raise InvalidInput.of("purposes", "a purpose is a name of lower-case letters, digits and _, or *")


class Callers:
    """Who calls. What the store says of a key is remembered for a second: a revocation holds within one."""

    def __init__(self, reader: Connection, now_us: Callable[[], int]) -> None:
        self._reader = reader
        self._now_us = now_us
        self._known: dict[bytes, tuple[Caller, float]] = {}

    def authenticate(self, key: str) -> Caller:
        """The caller with this key. Raises :class:`Unauthenticated`, which does not tell why."""
        digest = hash_key(key)
        known = self._known.get(digest)
        if known is not None and known[1] > time.monotonic():
            return known[0]
        self._known.pop(digest, None)
        row = callers.find(self._reader, digest) if key else None
        if row is None or row.revoked_us is not None:
            raise Unauthenticated(_UNKNOWN)
        if row.expires_us is not None and row.expires_us <= self._now_us():
            raise Unauthenticated(_UNKNOWN)
        caller = Caller(
            name=row.name,
            roles=frozenset(Role(role) for role in row.roles.split()),
            purposes=frozenset(row.purposes.split()),
        )
        self._known[digest] = caller, time.monotonic() + REMEMBERED_S
        return caller

    def listing(self) -> Sequence[CallerRow]:
        """All callers by name; never a key."""
        return callers.listing(self._reader)


class CallerDesk:
    """The operator's side: callers come and go, and each change leaves an entry."""

    def __init__(self, writer: Writer, now_us: Callable[[], int]) -> None:
        self._writer = writer
        self._now_us = now_us

    def add(
        self,
        name: str,
        roles: Sequence[str],
        purposes: Sequence[str],
        *,
        days: int | None = None,
        key: str | None = None,
    ) -> str:
        """Adds a caller and returns its key, which is kept nowhere: a new one unless ``key`` is given.
        ``days`` is how long the key holds; ``None``: no end.

        Raises :class:`InvalidInput` for a wrong name, role or purpose, :class:`Conflict` when the name is
        taken."""
        check_caller(name, roles, purposes)
        key, now_us = key or new_key(), self._now_us()
        expires_us = None if days is None else now_us + days * DAY_US

        def add(connection: Connection) -> None:
            callers.add(
                connection,
                name=name,
                key_hash=hash_key(key),
                roles=roles,
                purposes=purposes,
                created_us=now_us,
                expires_us=expires_us,
            )

        details = {"name": name, "roles": " ".join(sorted(roles)), "purposes": " ".join(sorted(purposes))}
        self._writer.write_blocking(add, (_entry(Kind.CALLER_ADDED, now_us, details),))
        return key

    def revoke(self, name: str) -> None:
        """Ends a caller's access, on running servers within a second. Raises :class:`NotFound`."""
        now_us = self._now_us()
        self._writer.write_blocking(
            lambda connection: callers.revoke(connection, name, now_us),
            (_entry(Kind.CALLER_REVOKED, now_us, {"name": name}),),
        )


def _entry(kind: Kind, now_us: int, details: dict[str, str]) -> bytes:
    return encode(Entry(time=timestamp_us(now_us), kind=kind, details=details))
