"""Signing checkpoints: at most a second after an entry, and never two that contradict each other."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import structlog

from segserver.audit import merkle
from segserver.audit.log import read_head, reader
from segserver.audit.note import Checkpoint, Signer, open_checkpoint
from segserver.errors import IntegrityError, SegserverError, Unavailable
from segserver.storage import log as store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from segserver.audit.note import NoteKey
    from segserver.storage.contract import Connection, Database
    from segserver.storage.writer import Writer

log = structlog.get_logger("segserver.audit")

INTERVAL_SECONDS = 0.5
"""How often to look for new entries: half of the second that is promised, the rest is for the commit."""


def sign(connection: Connection, signer: Signer, retired: Sequence[NoteKey] = ()) -> str | None:
    """Signs and stores a checkpoint of the log as this transaction sees it; returns the newest note.

    Runs inside a write transaction, so no other process signs meanwhile. It signs only what extends the
    newest stored checkpoint, shown by a consistency proof, and raises :class:`IntegrityError` otherwise:
    whoever changed the log gets no signature for it. ``retired`` are the keys of earlier checkpoints. Of an
    empty log there is no checkpoint.
    """
    size, root = read_head(connection)
    note = store.newest_checkpoint(connection)
    if note is not None:
        before = open_checkpoint(note, [signer.key, *retired])
        proof = merkle.prove_consistency(before.size, size, reader(connection)) if before.size <= size else ()
        merkle.verify_consistency(before.size, size, proof, before.root, root)
        if before.size == size:
            return note
    elif size == 0:
        return None
    note = signer.sign(Checkpoint(signer.key.name, size, root))
    store.add_checkpoint(connection, size, note)
    return note


class Notary:
    """A thread that signs a checkpoint soon after each entry.

    ``failure`` is why signing stopped, for health and logs: a log that contradicts its last checkpoint is
    never signed again by this process. A store that can't be used now is tried again; ``trouble`` is why the
    last attempt failed, for as long as none has succeeded since.
    """

    def __init__(
        self, database: Database, writer: Writer, signer: Signer, retired: Sequence[NoteKey] = ()
    ) -> None:
        self._connection = database.connect(read_only=True)
        self._writer = writer
        self._signer = signer
        self._retired = retired
        self._stop = threading.Event()
        self.failure: SegserverError | None = None
        self.trouble: SegserverError | None = None
        self._thread = threading.Thread(target=self._run, name="segserver-notary", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Signs what is there, then stops. Call it before the writer is closed."""
        self._stop.set()
        self._thread.join()
        self._connection.close()

    def sign(self) -> str | None:
        """Signs now if there is something new; returns the newest note. Raises what :func:`sign` raises."""
        if self.failure is not None:
            raise self.failure
        try:
            note = self._sign()
        except (IntegrityError, Unavailable) as error:
            if isinstance(error, IntegrityError):
                self.failure = error
            if self.trouble is None:
                log.error("the audit log can not be signed", reason=error.reason, problem=error.message)
            self.trouble = error
            raise
        self.trouble = None
        return note

    def _sign(self) -> str | None:
        with store.reading():
            if read_head(self._connection)[0] == store.checkpoint_size(self._connection):
                return store.newest_checkpoint(self._connection)
        note: str | None = self._writer.write_blocking(lambda c: sign(c, self._signer, self._retired)).result
        return note

    def _run(self) -> None:
        stopping = False
        while not stopping and self.failure is None:
            stopping = self._stop.wait(INTERVAL_SECONDS)
            try:
                self.sign()
            except (Unavailable, IntegrityError):
                continue
