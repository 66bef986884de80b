"""Writing profiles: each method gives the work that the store's writer runs in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from segserver.errors import Conflict, FailedPrecondition, NotFound
from segserver.privacy.subject import Profile, RuleValue, SubjectState
from segserver.privacy.vault import Subject, Vault
from segserver.storage.contract import Connection
from segserver.storage.subjects import SubjectRow, Subjects

Touched = Callable[[Connection, Subject, int, str], None]
"""What else is to happen when a subject changes, in the same transaction: the connection, the subject as it
is now, when, and what about it changed: ``PROFILE``, ``DECISION``, ``EVENTS`` or ``ALIAS``."""


class Profiles:
    """Reads and writes opened subjects."""

    def __init__(self, vault: Vault, subjects: Subjects, touched: Touched | None = None) -> None:
        self._vault = vault
        self._subjects = subjects
        self._touched = touched

    def get(self, connection: Connection, subject_key: bytes) -> Subject | None:
        """The subject, opened; ``None`` when it is not stored. Raises what :meth:`Vault.open` raises."""
        return self.open(self._subjects.get(connection, subject_key))

    def open(self, row: SubjectRow | None) -> Subject | None:
        """The subject of a row; ``None`` for none. Raises what :meth:`Vault.open` raises."""
        return None if row is None else self._vault.open(row)

    def rows(self, connection: Connection, subject_keys: Sequence[bytes]) -> list[SubjectRow | None]:
        """The rows of many subject keys, in order, read together."""
        return self._subjects.get_many(connection, subject_keys)

    def obtain(self, connection: Connection, subject_key: bytes) -> Subject:
        """The subject, opened, or a new one that is not stored yet, for a write in this transaction.

        Raises :class:`FailedPrecondition` when the keyring at hand is outdated.
        """
        found = self.get(connection, subject_key)
        if found is not None:
            return found
        created = self._vault.create(subject_key)
        if self._subjects.is_retired(connection, created.key_version):
            # Another process rotated and retired the key since this one read the keyring.
            self._vault.refresh()
            created = self._vault.create(subject_key)
            if self._subjects.is_retired(connection, created.key_version):
                raise FailedPrecondition(
                    "the current key-encryption key is retired: restart with the keyring in use",
                    reason="KEYRING_OUTDATED",
                )
        return created

    def require(self, connection: Connection, subject_key: bytes) -> Subject:
        """The subject, opened. Raises :class:`NotFound` when it is not stored."""
        subject = self.get(connection, subject_key)
        if subject is None:
            raise NotFound("no profile is stored for this subject", reason="SUBJECT_NOT_FOUND")
        return subject

    def merge(
        self,
        subject_key: bytes,
        changes: Mapping[str, RuleValue | None],
        now_us: int,
        *,
        timestamps: frozenset[str] = frozenset(),
        expires: Mapping[str, int] | None = None,
        revision: int | None = None,
    ) -> Callable[[Connection], Subject]:
        """Sets attributes of a subject, which is created when there is none; ``None`` removes one.

        The values are checked already. ``timestamps`` names those that hold a moment, ``expires`` gives
        expiry times (microseconds since the epoch). With ``revision``, the work raises :class:`Conflict`
        unless the stored row has it (0: none is stored).
        """

        def work(connection: Connection) -> Subject:
            subject = self.obtain(connection, subject_key)
            if revision is not None and subject.revision != revision:
                raise Conflict("the profile changed meanwhile: read it again", reason="REVISION_MISMATCH")
            profile = subject.profile.merged(changes, now_us, timestamps=timestamps, expires=expires)
            return self.store(connection, subject, now_us, profile=profile)

        return work

    def store(
        self,
        connection: Connection,
        subject: Subject,
        now_us: int,
        *,
        profile: Profile | None = None,
        state: SubjectState | None = None,
    ) -> Subject:
        """Seals and puts the subject with a new profile or state. Raises what :meth:`Vault.seal` raises."""
        fresh, row = self._vault.seal(subject, now_us, profile=profile, state=state)
        self._subjects.put(connection, row)
        self.touch(connection, fresh, now_us, "PROFILE" if state is None else "DECISION")
        return fresh

    def touch(self, connection: Connection, subject: Subject, now_us: int, what: str) -> None:
        """Tells whoever wants to know, in this transaction, that something about the subject changed."""
        if self._touched is not None:
            self._touched(connection, subject, now_us, what)
