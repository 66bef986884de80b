"""JSON Web Tokens: signature, issuer, audience and times checked; claims turned into a caller (RFC 7519,
8725).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from joserfc import jws, jwt
from joserfc.errors import ExpiredTokenError, JoseError, UnsupportedAlgorithmError

from segserver.config import JwtSettings
from segserver.errors import Unauthenticated
from segserver.model import Caller
from segserver.rpc.guard.issuer import Issuer

NAME_PREFIX = "jwt:"
"""A token's caller is never taken for one of the callers table."""
NAME_CHARACTERS_MAX = 200

_BROKEN = (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError)
"""What a forged token can make of its parser."""


class Accepted(NamedTuple):
    """A token's caller, and for how many seconds more it is one."""

    caller: Caller
    remaining_s: float


class _Registry(jws.JWSRegistry):
    """The allowed algorithms and no others; header parameters that nobody needs don't matter."""

    def __init__(self, algorithms: tuple[str, ...]) -> None:
        super().__init__(algorithms=algorithms, strict_check_header=False)

    def get_alg(self, name: str) -> Any:
        """As the library's, without its warning that EdDSA has a newer name."""
        if not self.allowed or name not in self.allowed:
            raise UnsupportedAlgorithmError("not allowed")
        return self.algorithms[name]


class Tokens:
    """Checks tokens against the settings and the issuer's keys."""

    def __init__(self, settings: JwtSettings, issuer: Issuer, now_us: Callable[[], int]) -> None:
        self._settings = settings
        self._issuer = issuer
        self._now_us = now_us
        self._registry = _Registry(settings.algorithms)

    async def accept(self, token: str) -> Accepted:
        """The token's caller.

        Raises :class:`Unauthenticated` for a token that is not good here, :class:`Unavailable` when the
        issuer's keys can't be had."""
        try:
            header = jws.extract_compact(token.encode(), registry=self._registry).headers()
            algorithm, kid = header["alg"], header.get("kid")
            self._registry.get_alg(algorithm)
            if kid is not None and not isinstance(kid, str):
                raise TypeError
        except _BROKEN:
            raise _rejected() from None
        key = await self._issuer.find(kid, algorithm)
        if key is None:
            raise _rejected()
        try:
            claims = jwt.decode(token, key, registry=self._registry).claims
            now_s = self._now_us() / 1_000_000
            self._check(claims, now_s)
            return Accepted(self._caller(claims), claims["exp"] + self._settings.leeway_s - now_s)
        except ExpiredTokenError:
            raise Unauthenticated("the token has expired", reason="TOKEN_EXPIRED") from None
        except _BROKEN:
            raise _rejected() from None

    def _check(self, claims: dict[str, Any], now_s: float) -> None:
        jwt.JWTClaimsRegistry(
            now=int(now_s),
            leeway=self._settings.leeway_s,
            iss={"essential": True, "value": self._settings.issuer},
            aud={"essential": True, "value": self._settings.audience},
            exp={"essential": True},
        ).validate(claims)

    def _caller(self, claims: Mapping[str, Any]) -> Caller:
        settings = self._settings
        name = _claim(claims, settings.name_claim)
        if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= NAME_CHARACTERS_MAX:
            raise ValueError
        roles = words(_claim(claims, settings.roles_claim))
        purposes = words(_claim(claims, settings.purposes_claim))
        return Caller(
            name=NAME_PREFIX + name,
            roles=frozenset(role for word, role in settings.roles.items() if word in roles),
            purposes=frozenset(purpose for word, purpose in settings.purposes.items() if word in purposes),
        )


def _rejected() -> Unauthenticated:
    return Unauthenticated("the token is not one that this server accepts", reason="TOKEN_REJECTED")


def _claim(claims: Mapping[str, Any], name: str) -> Any:
    """A claim by its name, or by the path to it; names are often addresses, which have dots of their own."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def words(claim: Any) -> frozenset[str]:
    """The words of a list, or of a text with spaces between (as ``scope``, RFC 8693); others have none."""
    items = claim.split() if isinstance(claim, str) else claim
    return (
        frozenset(item for item in items if isinstance(item, str)) if isinstance(items, list) else frozenset()
    )
