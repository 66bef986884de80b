"""Callers: who they are by their API key or their certificate, and the operator's commands about them."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from segserver.audit.entry import Entry, Kind, encode, timestamp_us
from segserver.errors import InvalidInput, Unauthenticated
from segserver.model import NAME, Caller, Role
from segserver.storage import callers
from segserver.storage.callers import CallerRow
from segserver.storage.contract import Connection, Reader
from segserver.storage.writer import Writer

KEY_PREFIX = "segserver_"
"""Keys are recognizable, so that scanners find a leaked one."""

KEY_BYTES = 32
HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US

IDENTITY_FORMS = ("spiffe://", "dns:", "subject:")
IDENTITY_CHARACTERS_MAX = 2_048
"""As long as a SPIFFE id may be."""

_UNKNOWN = "the API key is missing, unknown, expired or revoked"
_ROLES = {role.value: role for role in Role}


class Denial(NamedTuple):
    """Refused calls: who called (empty when that is not known), from where, what, why, how often."""

    caller: str
    network: str
    method: str
    reason: str
    times: int = 1


def denial_entry(denial: Denial, now_us: int) -> bytes:
    """What the audit log holds of a denial."""
    details = {"method": denial.method}
    if denial.network:
        details["network"] = denial.network
    if denial.times > 1:
        details["times"] = str(denial.times)
    return _entry(Kind.ACCESS_DENIED, now_us, details, caller=denial.caller, result=denial.reason)


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
    for role in roles:
        if role not in _ROLES:
            raise InvalidInput.of("roles", f"no such role; choose among {', '.join(sorted(_ROLES))}")
    for purpose in purposes:
        if purpose != "*" and not NAME.fullmatch(purpose):
            raise InvalidInput.of("purposes", "a purpose is a name of lower-case letters, digits and _, or *")


def check_identity(identity: str) -> None:
    """Raises :class:`InvalidInput` unless ``identity`` is ``spiffe://TRUST-DOMAIN/PATH``, ``dns:NAME`` in
    lower case, or ``subject:`` with a subject as RFC 4514 writes it, such as ``subject:CN=shop,O=Example``.
    """
    if not identity.startswith(IDENTITY_FORMS) or identity in IDENTITY_FORMS or not identity.isprintable():
        raise InvalidInput.of(
            "certificate",
            "write spiffe://TRUST-DOMAIN/PATH, dns:NAME or subject:CN=NAME,…",
            reason="IDENTITY_INVALID",
        )
    if len(identity) > IDENTITY_CHARACTERS_MAX or (
        identity.startswith("dns:") and identity != identity.lower()
    ):
        raise InvalidInput.of(
            "certificate", "is too long, or a DNS name not in lower case", reason="IDENTITY_INVALID"
        )


@dataclass(frozen=True, slots=True)
class CallerInfo:
    """A caller as an operator sees it. Times are microseconds since the epoch."""

    row: CallerRow
    key_expiries_us: tuple[int | None, ...]
    """When each of its keys that still holds expires, the newest last; ``None``: never."""
    certificates: tuple[str, ...]

    @property
    def state(self) -> str:
        """``active``, ``revoked``, or ``expired`` for one who has nothing to come with any more."""
        if self.row.revoked_us is not None:
            return "revoked"
        return "active" if self.key_expiries_us or self.certificates else "expired"


class Callers:
    """Who calls, as the store knows it now. Whoever asks often remembers the answer, for a second at most."""

    def __init__(self, reads: Reader, now_us: Callable[[], int]) -> None:
        self._reads = reads
        self._now_us = now_us

    async def by_key(self, key: str) -> Caller:
        """The caller with this key. Raises :class:`Unauthenticated`, which does not tell why."""
        digest = hash_key(key)
        found = await self._reads.read(lambda connection: callers.find(connection, digest)) if key else None
        if found is None or found[0].revoked_us is not None:
            raise Unauthenticated(_UNKNOWN)
        row, expires_us = found
        if expires_us is not None and expires_us <= self._now_us():
            raise Unauthenticated(_UNKNOWN)
        return _caller(row)

    async def by_certificate(self, identities: Sequence[str]) -> Caller:
        """The caller who may come with a certificate for these identities. Those of them that anybody has
        must all be one caller's. Raises :class:`Unauthenticated`, which does not tell why.
        """
        rows: Sequence[CallerRow] = ()
        if identities:
            rows = await self._reads.read(lambda c: callers.find_by_certificate(c, identities))
        if len(rows) != 1 or rows[0].revoked_us is not None:
            raise Unauthenticated("the certificate is not one of a caller", reason="CERTIFICATE_UNKNOWN")
        return _caller(rows[0])


def list_callers(connection: Connection, now_us: int) -> Sequence[CallerInfo]:
    """All callers by name; never a key."""
    expiries: dict[str, list[int | None]] = {}
    for key in callers.keys(connection):
        if key.expires_us is None or key.expires_us > now_us:
            expiries.setdefault(key.name, []).append(key.expires_us)
    identities: dict[str, list[str]] = {}
    for name, identity in callers.certificates(connection):
        identities.setdefault(name, []).append(identity)
    return [
        CallerInfo(row, tuple(expiries.get(row.name, ())), tuple(identities.get(row.name, ())))
        for row in callers.listing(connection)
    ]


def _caller(row: CallerRow) -> Caller:
    """A role that this version does not know gives nothing."""
    return Caller(
        name=row.name,
        roles=frozenset(_ROLES[role] for role in row.roles.split() if role in _ROLES),
        purposes=frozenset(row.purposes.split()),
    )


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
        certificates: Sequence[str] = (),
    ) -> str:
        """Adds a caller and returns its key, which is kept nowhere: a new one unless ``key`` is given.
        ``days`` is how long the key holds; ``None``: no end. With ``certificates``, the caller comes with
        those, and gets no key: the result is empty.

        Raises :class:`InvalidInput` for a wrong name, role, purpose or identity, :class:`Conflict` when the
        name or an identity is taken."""
        check_caller(name, roles, purposes)
        for identity in certificates:
            check_identity(identity)
        key, now_us = "" if certificates else key or new_key(), self._now_us()

        def add(connection: Connection) -> None:
            callers.add(connection, name=name, roles=roles, purposes=purposes, created_us=now_us)
            for identity in certificates:
                callers.add_certificate(connection, name, identity)
            if key:
                _put_key(connection, name, key, now_us, days, now_us)

        details = {"name": name, "roles": " ".join(sorted(roles)), "purposes": " ".join(sorted(purposes))}
        if certificates:
            details["certificates"] = "\n".join(sorted(certificates))
        self._writer.write_blocking(add, (_entry(Kind.CALLER_ADDED, now_us, details),))
        return key

    def rotate(self, name: str, *, grace_hours: int, days: int | None = None) -> str:
        """A new key for a caller, kept nowhere. The one before it holds for ``grace_hours`` more at most, and
        none that is older.

        Raises :class:`NotFound` for an unknown caller, :class:`FailedPrecondition` for a revoked one."""
        key, now_us = new_key(), self._now_us()
        former_until_us = now_us + grace_hours * HOUR_US
        self._writer.write_blocking(
            lambda connection: _put_key(connection, name, key, now_us, days, former_until_us),
            (
                _entry(
                    Kind.CALLER_KEY_ROTATED,
                    now_us,
                    {"name": name, "former_until": timestamp_us(former_until_us)},
                ),
            ),
        )
        return key

    def revoke(self, name: str) -> None:
        """Ends a caller's access, on running servers within a second. Raises :class:`NotFound`."""
        now_us = self._now_us()
        self._writer.write_blocking(
            lambda connection: callers.revoke(connection, name, now_us),
            (_entry(Kind.CALLER_REVOKED, now_us, {"name": name}),),
        )


def _put_key(
    connection: Connection, name: str, key: str, now_us: int, days: int | None, former_until_us: int
) -> None:
    callers.add_key(
        connection,
        name=name,
        key_hash=hash_key(key),
        created_us=now_us,
        expires_us=None if days is None else now_us + days * DAY_US,
        former_until_us=former_until_us,
    )


def _entry(
    kind: Kind, now_us: int, details: dict[str, str], *, caller: str = "", result: str = "OK"
) -> bytes:
    return encode(Entry(time=timestamp_us(now_us), kind=kind, caller=caller, result=result, details=details))
