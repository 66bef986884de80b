"""Callers: who they are by their API key, and the operator's commands about them."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from collections.abc import Callable, Iterable, Sequence

from segserver.errors import InvalidInput, Unauthenticated
from segserver.model import NAME, Caller, Role
from segserver.storage.sqlite import Connection, callers
from segserver.storage.sqlite.callers import CallerRow

KEY_PREFIX = "segserver_"
"""Keys are recognizable, so that scanners find a leaked one."""

KEY_BYTES = 32

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
    """Reads callers on every call, so that a revocation holds from the moment it is stored."""

    def __init__(self, reader: Connection, now_us: Callable[[], int]) -> None:
        self._reader = reader
        self._now_us = now_us

    def authenticate(self, key: str) -> Caller:
        """The caller with this key. Raises :class:`Unauthenticated`, which does not tell why."""
        row = callers.find(self._reader, hash_key(key)) if key else None
        if row is None or row.revoked_us is not None:
            raise Unauthenticated(_UNKNOWN)
        if row.expires_us is not None and row.expires_us <= self._now_us():
            raise Unauthenticated(_UNKNOWN)
        return Caller(
            name=row.name,
            roles=frozenset(Role(role) for role in row.roles.split()),
            purposes=frozenset(row.purposes.split()),
        )

    def listing(self) -> Sequence[CallerRow]:
        """All callers by name; never a key."""
        return callers.listing(self._reader)


def expiry_us(now_us: int, days: int | None) -> int | None:
    """When a key made now for so many days ends."""
    return None if days is None else now_us + days * int(dt.timedelta(days=1) / dt.timedelta(microseconds=1))
