"""The operator's commands about keys: each leaves an entry, and may be repeated after it was cut off."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from segserver.audit.entry import Entry, Kind, encode, timestamp_us
from segserver.config import Config
from segserver.engine.store import Store, has_store
from segserver.errors import FailedPrecondition
from segserver.privacy.keyring import Keyring, check_keyring, new_keyring
from segserver.privacy.keys import KeyProvider, Keys, KeyStatus, choose
from segserver.privacy.vault import Vault
from segserver.storage.subjects import Subjects
from segserver.strategies.manager import Installed

OPERATOR = "operator"


def create_keyring(config: Config, installed: Installed) -> None:
    """Makes the keyring of a new installation.

    Raises :class:`Conflict` when there is a keyring, and :class:`FailedPrecondition` when there is a
    database: its data are sealed under keys that are missing, and new ones would not open them.
    """
    if has_store(config):
        raise FailedPrecondition(
            "there is a database already: restore its keyring from the backup; a new one would open nothing",
            reason="KEYRING_MISSING",
        )
    config.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    _provider(config, installed).create(new_keyring())


def load_keyring(config: Config, provider: KeyProvider) -> Keyring:
    """The keyring of this installation.

    Raises :class:`FailedPrecondition`; beside a database, a missing keyring is one to restore.
    """
    try:
        return provider.load()
    except FailedPrecondition as error:
        if error.reason == "KEYRING_MISSING" and has_store(config):
            raise FailedPrecondition(
                "the keyring file is missing: restore it from its backup; what the database holds can't be "
                "read without it",
                reason="KEYRING_MISSING",
            ) from None
        raise


class KeyDesk:
    """Rotates, wraps again and retires, on an open store."""

    def __init__(self, config: Config, installed: Installed, store: Store, now_us: Callable[[], int]) -> None:
        provider = _provider(config, installed)
        keyring = load_keyring(config, provider)
        subjects = Subjects()
        check_keyring(keyring, subjects.key_checks(store.reader))
        self._store = store
        self._now_us = now_us
        self._keys = Keys(provider, Vault(keyring, provider.load), subjects)

    def status(self) -> Sequence[KeyStatus]:
        """Every version and its use."""
        return self._keys.status(self._store.reader)

    def rotate(self) -> int:
        """Makes a new current version, and returns it; :meth:`rewrap` does the rest."""
        work = self._keys.rotate()
        written = self._store.writer.write_blocking(
            work, lambda version: (self._entry(Kind.KEY_ROTATED, version),)
        )
        return int(written.result)

    def rewrap(self) -> int:
        """Wraps some data keys under the current version; how many, and 0 when none remains."""
        return int(self._store.writer.write_blocking(self._keys.rewrap).result)

    def retire(self, version: int) -> None:
        """Closes a version and removes its key. Raises :class:`FailedPrecondition` while anything uses it."""
        work = self._keys.retire(version)
        self._store.writer.write_blocking(work, (self._entry(Kind.KEY_RETIRED, version),))
        self._keys.drop(self._store.reader, version)

    def _entry(self, kind: Kind, version: int) -> bytes:
        return encode(
            Entry(
                time=timestamp_us(self._now_us()),
                kind=kind,
                caller=OPERATOR,
                details={"version": str(version)},
            )
        )


def _provider(config: Config, installed: Installed) -> KeyProvider:
    return choose(config.key_provider, config.keyring_path, installed.key_providers)
