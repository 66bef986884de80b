"""The public keys of who issues tokens: from a file, or fetched from the issuer and fetched again."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from http.client import HTTPException
from typing import Any

import structlog
from joserfc import jwk
from joserfc.errors import JoseError

from segserver.config import JwtSettings
from segserver.errors import FailedPrecondition, Unavailable

log = structlog.get_logger("segserver.rpc")

DOCUMENT_BYTES_MAX = 1024 * 1024
RETRY_S = 5.0
"""After a fetch that failed, tokens wait for no other one so soon."""
UNKNOWN_KEY_S = 10.0
"""An unknown key id, which anybody can invent, has the keys fetched so often at most."""
RSA_MODULUS_CHARACTERS_MIN = 342
"""2,048 bits in base64url, the least that RFC 7518 (section 3.3) allows."""
DISCOVERY = "/.well-known/openid-configuration"

Key = jwk.RSAKey | jwk.ECKey | jwk.OKPKey

_TYPES = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
"""The key type of a signature algorithm, by its first letters (RFC 7518, RFC 8037, RFC 9864)."""


class Issuer:
    """The issuer's keys. Where they can't be had, nobody gets in: :class:`Unavailable`, and never a guess.

    Raises :class:`FailedPrecondition` for a key file that can't be used."""

    def __init__(self, settings: JwtSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._keys: Sequence[Key] = ()
        self._fetched_s: float | None = None
        self._attempted_s: float | None = None
        self._fetching: asyncio.Task[None] | None = None
        self._changed: Callable[[], None] = lambda: None
        self.reload()

    def on_change(self, changed: Callable[[], None]) -> None:
        """``changed`` is called when other keys are in use than before."""
        self._changed = changed

    def reload(self) -> None:
        """Reads the key file again; keys that are fetched are fetched again when the next token comes.

        Raises :class:`FailedPrecondition` for a file that can't be used; the former keys stay."""
        file = self._settings.keys_file
        if file is None:
            self._fetched_s = self._attempted_s = None
            return
        try:
            self._use(public_keys(file.read_bytes()))
        except (OSError, ValueError) as error:
            raise FailedPrecondition(
                f"{file}: the issuer's keys can't be read: {error}", reason="TOKEN_KEYS_INVALID"
            ) from None

    async def find(self, kid: str | None, algorithm: str) -> Key | None:
        """The key that a token names; a token that names none gets the only one that fits.

        Raises :class:`Unavailable` when the keys can't be fetched, and none are fresh enough."""
        if self._settings.keys_file is not None:
            return choose(self._keys, kid, algorithm)
        now_s = self._clock()
        age_s = float("inf") if self._fetched_s is None else now_s - self._fetched_s
        if age_s > self._settings.stale_s_max:
            await self._fetch()
        elif age_s > self._settings.refresh_s and self._due(RETRY_S):
            self._begin()
        found = choose(self._keys, kid, algorithm)
        if found is None and self._due(UNKNOWN_KEY_S):
            with suppress(Unavailable):  # these keys are fresh enough; they lack this one
                await self._fetch()
            found = choose(self._keys, kid, algorithm)
        return found

    def _due(self, pause_s: float) -> bool:
        return self._attempted_s is None or self._clock() - self._attempted_s >= pause_s

    async def _fetch(self) -> None:
        """Waits for the fetch in progress, or for a new one unless the last has just failed."""
        if self._fetching is None and not self._due(RETRY_S):
            raise _unavailable()
        await asyncio.shield(self._begin())

    def _begin(self) -> asyncio.Task[None]:
        if self._fetching is None:
            self._attempted_s = self._clock()
            self._fetching = asyncio.create_task(self._refresh())
            self._fetching.add_done_callback(self._fetched)
        return self._fetching

    def _fetched(self, task: asyncio.Task[None]) -> None:
        self._fetching = None
        if not task.cancelled():
            task.exception()  # who waits has it; when nobody does, the log has it

    async def _refresh(self) -> None:
        limit_s = self._settings.fetch_s_max
        try:
            keys = await asyncio.wait_for(asyncio.to_thread(_download, self._settings), limit_s)
        except (OSError, HTTPException, ValueError) as error:  # a time-out is an OSError, too
            log.error("the token issuer's keys can't be fetched", why=f"{type(error).__name__}: {error}")
            raise _unavailable() from None
        self._fetched_s = self._clock()
        self._use(keys)

    def _use(self, keys: Sequence[Key]) -> None:
        if [key.as_dict() for key in keys] != [key.as_dict() for key in self._keys]:
            self._keys = keys
            self._changed()


def _unavailable() -> Unavailable:
    return Unavailable(
        "tokens can't be checked now: their issuer's keys can't be fetched", reason="TOKEN_KEYS_UNAVAILABLE"
    )


def choose(keys: Iterable[Key], kid: str | None, algorithm: str) -> Key | None:
    """The one key for a signature; ``None`` where there is none, or more than one."""
    found = [
        key
        for key in keys
        if key.key_type == _TYPES.get(algorithm[:2])
        and kid in (None, key.kid)
        and key.alg in (None, algorithm)
    ]
    return found[0] if len(found) == 1 else None


def public_keys(document: bytes) -> list[Key]:
    """The keys of a JWK set (RFC 7517) that can check signatures; others, symmetric ones above all, are left
    out. Raises :class:`ValueError` for what is no such set."""
    data = _json(document)
    items = data.get("keys") if isinstance(data, dict) else None
    if items is None or not isinstance(items, list):
        raise ValueError("this is no JWK set")
    found: list[Key] = []
    for item in items:
        if not isinstance(item, dict) or not _is_for_signatures(item):
            continue
        try:
            key = jwk.import_key(item)
        except (JoseError, ValueError, TypeError, KeyError):
            continue
        if isinstance(key, Key):
            found.append(key)
    return found


def _is_for_signatures(item: Mapping[str, Any]) -> bool:
    """Whether a key is a public one, of enough bits, and not meant for something else."""
    if item.get("kty") == "RSA" and len(str(item.get("n", ""))) < RSA_MODULUS_CHARACTERS_MIN:
        return False
    return item.get("kty") in _TYPES.values() and item.get("use", "sig") == "sig"


def _download(settings: JwtSettings) -> list[Key]:
    """Fetches the key set. Raises :class:`OSError`, :class:`HTTPException` or :class:`ValueError`."""
    context = ssl.create_default_context(cafile=settings.ca_file)
    opener = urllib.request.OpenerDirector()  # https and nothing else, and no redirects
    opener.add_handler(urllib.request.ProxyHandler())
    opener.add_handler(urllib.request.HTTPSHandler(context=context))
    address = settings.jwks_url or _discovered(opener, settings)
    return public_keys(_get(opener, address, settings.fetch_s_max))


def _discovered(opener: urllib.request.OpenerDirector, settings: JwtSettings) -> str:
    """The address of the keys by the issuer's own document (OpenID Connect Discovery 1.0, section 4)."""
    address = settings.issuer.rstrip("/") + DISCOVERY
    data = _json(_get(opener, address, settings.fetch_s_max))
    if not isinstance(data, dict) or data.get("issuer") != settings.issuer:
        raise ValueError("the discovery document is another issuer's")
    found = data.get("jwks_uri")
    if not isinstance(found, str) or not found.startswith("https://"):
        raise ValueError("the discovery document names no https address for the keys")
    return found


def _json(document: bytes) -> Any:
    try:
        return json.loads(document)
    except RecursionError:
        raise ValueError("the document is nested too deeply") from None


def _get(opener: urllib.request.OpenerDirector, address: str, limit_s: float) -> bytes:
    response = opener.open(address, timeout=limit_s)
    if response is None:
        raise ValueError("only https is spoken here")
    with response:
        if response.status != 200:
            raise OSError(f"HTTP status {response.status}")
        document: bytes = response.read(DOCUMENT_BYTES_MAX + 1)
    if len(document) > DOCUMENT_BYTES_MAX:
        raise ValueError("the document is too long")
    return document
