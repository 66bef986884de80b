"""Who calls and may they: by API key, token or client certificate; what was found out is remembered for a
moment.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import time
from typing import NamedTuple

import grpc

from segserver.engine import Engine
from segserver.engine.callers import KEY_PREFIX
from segserver.errors import PermissionDenied, SegserverError, Unauthenticated
from segserver.model import Caller, Role
from segserver.rpc.guard import certificates
from segserver.rpc.guard.denials import Denials
from segserver.rpc.guard.issuer import Issuer
from segserver.rpc.guard.load import Account, Load
from segserver.rpc.guard.tokens import Tokens

STORED_S = 1.0
"""How long what the store says of a caller is believed: a revocation holds within a second."""
TOKEN_S = 10.0
"""How long a token that was checked is good, at most until it expires; other keys of its issuer end that at
once.
"""
KNOWN_MAX = 10_000

_BEARER = "bearer "


class Known(NamedTuple):
    """A caller, what it uses of this worker, and until when (monotonic clock) it need not be asked about."""

    caller: Caller
    account: Account
    until_s: float


class Guard:
    """One for a server. Raises :class:`FailedPrecondition` for files of the settings that can't be used."""

    def __init__(self, engine: Engine) -> None:
        config = engine.config
        self.load = Load(config.limits, config.rates)
        self.denials = Denials(engine.record_denials, config.rates.denial_interval_s)
        self._callers = engine.callers
        self._now_us = engine.now_us
        self._mutual = config.tls.client_ca_file is not None
        self._known: dict[bytes, Known] = {}
        self._issuer: Issuer | None = None
        self._tokens: Tokens | None = None
        if config.jwt.issuer:
            self._issuer = Issuer(config.jwt)
            self._issuer.on_change(self._known.clear)
            self._tokens = Tokens(config.jwt, self._issuer, engine.now_us)

    def reload(self) -> None:
        """Reads the token issuer's key file again, or has its keys fetched again.

        Raises :class:`FailedPrecondition` for a file that can't be used; the former keys stay."""
        if self._issuer is not None:
            self._issuer.reload()

    async def recognize(self, context: grpc.aio.ServicerContext) -> Known:
        """Who calls. What a call brings in its header counts before the connection's certificate.

        Raises :class:`Unauthenticated`, :class:`Unavailable` when it can't be found out now."""
        credential = _authorization(context)
        pem = self._certificate(context) if credential is None and self._mutual else b""
        digest = hashlib.sha256(b"certificate " + pem if pem else f"header {credential}".encode()).digest()
        known = self._known.get(digest)
        if known is not None and known.until_s > time.monotonic():
            return known
        self._known.pop(digest, None)
        caller, lasts_s = await (self._by_certificate(pem) if pem else self._by_header(credential or ""))
        if len(self._known) >= KNOWN_MAX:
            self._known.clear()
        known = Known(caller, self.load.account(caller.name), time.monotonic() + lasts_s)
        self._known[digest] = known
        return known

    async def denied(
        self,
        method: str,
        caller: Caller | None,
        context: grpc.aio.ServicerContext,
        denial: PermissionDenied | Unauthenticated,
    ) -> SegserverError:
        """The denial, once it is in the log or counted; or why it could not be written."""
        try:
            await self.denials.add(caller.name if caller else "", context.peer(), method, denial.reason)
        except SegserverError as error:
            return error
        return denial

    async def _by_header(self, credential: str) -> tuple[Caller, float]:
        if self._tokens is None or credential.startswith(KEY_PREFIX) or credential.count(".") != 2:
            return await self._callers.by_key(credential), STORED_S
        accepted = await self._tokens.accept(credential)
        return accepted.caller, min(TOKEN_S, accepted.remaining_s)

    async def _by_certificate(self, pem: bytes) -> tuple[Caller, float]:
        try:
            presented = certificates.read(pem)
        except ValueError:
            raise Unauthenticated("the certificate can't be read", reason="CERTIFICATE_INVALID") from None
        now = dt.datetime.fromtimestamp(self._now_us() / 1_000_000, dt.UTC)
        remaining_s = (presented.expires - now).total_seconds()
        if remaining_s <= 0:
            raise Unauthenticated("the certificate has expired", reason="CERTIFICATE_EXPIRED")
        return await self._callers.by_certificate(presented.identities), min(STORED_S, remaining_s)

    @staticmethod
    def _certificate(context: grpc.aio.ServicerContext) -> bytes:
        found = context.auth_context().get("x509_pem_cert")
        return bytes(found[0]) if found else b""


def authorize(caller: Caller, allowed: frozenset[Role]) -> None:
    """Raises :class:`PermissionDenied` unless the caller has one of the roles."""
    if caller.roles.isdisjoint(allowed):
        raise PermissionDenied(
            f"{caller.name} has none of the roles that may call this method", reason="ROLE_MISSING"
        )


def _authorization(context: grpc.aio.ServicerContext) -> str | None:
    """What the header ``authorization`` brings after ``Bearer``, empty for another scheme; ``None`` without
    the header.
    """
    for key, value in context.invocation_metadata() or ():
        if key == "authorization":
            is_bearer = isinstance(value, str) and value[: len(_BEARER)].lower() == _BEARER
            return value[len(_BEARER) :] if is_bearer else ""
    return None
