"""The life of the key-encryption keys: rotate, wrap again, retire. Where they are kept is a
:class:`KeyProvider`'s business.

The order of each step leaves a state that a later start understands, wherever it is cut off:

* rotate: the provider first, the database's check values second (a start records what it lacks);
* wrap again: some rows in each transaction, and the rows themselves tell what remains;
* retire: the database first, in one transaction that finds the version unused and closes it, the provider
second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from segserver.errors import FailedPrecondition
from segserver.privacy.keyring import Keyring, create_file, load_file, replace_file
from segserver.privacy.vault import Vault
from segserver.storage.contract import Connection
from segserver.storage.subjects import Subjects

FILE_PROVIDER = "file"
"""The name of the server's own provider."""

REWRAP_ROWS = 500
"""Rows in one transaction: about 5 ms, so that the writer's other callers hardly wait."""


@dataclass(frozen=True, slots=True)
class KeyProvider:
    """Keeps the keyring. The file is the default; a key-management service is another one, from a plugin.

    ``create`` stores a first keyring and raises :class:`~segserver.errors.Conflict` when there is one;
    ``load`` gives it back, and raises :class:`FailedPrecondition` when there is none; ``replace`` puts a
    changed one in its place, whole or not at all. Each raises :class:`~segserver.errors.Unavailable` when the
    keys can't be reached. :func:`segserver.privacy.testing.check_key_provider` checks that a provider keeps
    this contract.
    """

    name: str
    create: Callable[[Keyring], None]
    load: Callable[[], Keyring]
    replace: Callable[[Keyring], None]


def file_provider(path: Path) -> KeyProvider:
    """The keyring in a file that only its owner can read."""
    return KeyProvider(
        FILE_PROVIDER,
        lambda keyring: create_file(path, keyring),
        lambda: load_file(path),
        lambda keyring: replace_file(path, keyring),
    )


def choose(name: str, path: Path, others: Iterable[KeyProvider]) -> KeyProvider:
    """The provider of this name: the file at ``path``, or one of ``others``. Raises
    :class:`FailedPrecondition`.
    """
    providers = {provider.name: provider for provider in (*others, file_provider(path))}
    if name not in providers:
        raise FailedPrecondition(
            f"no plugin brings the key provider {name}; there are {', '.join(sorted(providers))}",
            reason="KEY_PROVIDER_UNKNOWN",
            metadata={"key_provider": name},
        )
    return providers[name]


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """How one version of the key-encryption key is used."""

    version: int
    current: bool
    data_keys: int
    """How many data keys are wrapped under it."""


class Keys:
    """Rotates and retires key-encryption keys."""

    def __init__(self, provider: KeyProvider, vault: Vault, subjects: Subjects) -> None:
        self._provider = provider
        self._vault = vault
        self._subjects = subjects

    @property
    def created_us(self) -> int | None:
        """When the current version was made, in microseconds since the epoch; ``None`` where the keyring does
        not say.
        """
        keyring = self._vault.keyring
        return keyring.created_us.get(keyring.current)

    def status(self, connection: Connection) -> list[KeyStatus]:
        """Every version that the keyring holds or a data key needs, in order."""
        keyring = self._provider.load()
        used = self._subjects.key_versions(connection)
        versions = sorted({*keyring.key_encryption_keys, *used})
        return [KeyStatus(v, v == keyring.current, used.get(v, 0)) for v in versions]

    def rotate(self) -> Callable[[Connection], int]:
        """Makes a new current version at the provider; the work records it in the database and returns it.

        Until every data key is wrapped again, the older versions stay in use; see :meth:`rewrap`.
        """
        keyring = self._provider.load().rotated()
        self._provider.replace(keyring)
        self._vault.refresh()

        def work(connection: Connection) -> int:
            self._subjects.put_key_checks(connection, keyring.check_values())
            return keyring.current

        return work

    def is_wrapped(self, connection: Connection) -> bool:
        """Whether every data key is wrapped under the current version."""
        return not self._subjects.wrapped_elsewhere(connection, self._vault.refresh().current)

    def rewrap(self, connection: Connection) -> int:
        """The work that wraps up to :data:`REWRAP_ROWS` data keys under the current version; how many it did:
        0 when none remains. Sealed profiles are not touched.
        """
        current = self._vault.refresh().current
        old = [version for version in self._subjects.key_versions(connection) if version != current]
        rows = self._subjects.wrapped_under(connection, old, REWRAP_ROWS)
        changes = [
            (*self._vault.rewrap(subject_key, wrapped, version), subject_key)
            for subject_key, wrapped, version in rows
        ]
        self._subjects.rewrap(connection, [(wrapped, version, key) for wrapped, version, key in changes])
        return len(rows)

    def retire(self, version: int) -> Callable[[Connection], None]:
        """The work that closes a version in the database; call :meth:`drop` once it is durable.

        Raises at once for the current and for an unknown version; the work raises :class:`FailedPrecondition`
        while any data key is wrapped under it.
        """
        keyring = self._provider.load().without(version)

        def work(connection: Connection) -> None:
            used = self._subjects.key_versions(connection).get(version, 0)
            if used:
                raise FailedPrecondition(
                    f"{used} data keys are still wrapped under version {version}: let them be wrapped again",
                    reason="KEY_VERSION_IN_USE",
                    metadata={"version": str(version), "data_keys": str(used)},
                )
            self._subjects.retire(connection, version)
            self._subjects.put_key_checks(connection, keyring.check_values())

        return work

    def drop(self, connection: Connection, version: int) -> None:
        """Removes a version from the provider. Raises :class:`FailedPrecondition` unless the database has
        closed it.
        """
        if not self._subjects.is_retired(connection, version):
            raise FailedPrecondition(f"version {version} is not retired", reason="KEY_VERSION_IN_USE")
        self._provider.replace(self._provider.load().without(version))
        self._vault.refresh()
