"""What plugin authors run against their own implementations."""

from __future__ import annotations

from segserver.errors import Conflict, FailedPrecondition
from segserver.privacy.keyring import new_keyring
from segserver.privacy.keys import KeyProvider


def check_key_provider(provider: KeyProvider) -> None:
    """Checks that a provider which holds nothing yet keeps the contract. Raises :class:`AssertionError` that
    names the breach.

    It leaves the provider with keys: give it an empty place that no server uses.
    """
    if _loads(provider):
        raise AssertionError("load() gives keys that were never created: give the check an empty provider")
    keyring = new_keyring("conformance")
    provider.create(keyring)
    if provider.load() != keyring:
        raise AssertionError("load() gives back other keys than create() got")
    try:
        provider.create(new_keyring("conformance"))
    except Conflict:
        pass
    else:
        raise AssertionError("create() put new keys in the place of old ones: what they sealed would be lost")
    if provider.load() != keyring:
        raise AssertionError("a refused create() changed the keys")
    rotated = keyring.rotated()
    provider.replace(rotated)
    if provider.load() != rotated:
        raise AssertionError("load() gives back other keys than replace() got")
    provider.replace(rotated.without(1))
    if provider.load() != rotated.without(1):
        raise AssertionError("load() gives back a key that replace() left out")


def _loads(provider: KeyProvider) -> bool:
    try:
        provider.load()
    except FailedPrecondition:
        return False
    return True
