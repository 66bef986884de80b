"""Whether the log is what it says: every entry, their order, the head, and every signed checkpoint.

Everything is derived again from the payloads; the stored hashes only help to say *where* it went wrong.
What this can't see is a log that a holder of the signing key wrote anew from the start: that takes a
:mod:`segserver.audit.witness`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from segserver.audit import merkle
from segserver.audit.entry import Kind, decode
from segserver.audit.log import reader
from segserver.audit.note import Checkpoint, NoteKey, open_checkpoint
from segserver.errors import IntegrityError
from segserver.storage import log as store

if TYPE_CHECKING:
    from segserver.storage.contract import Connection

Progress = Callable[[int, int], None]
"""Called with the entries done and the entries to do, every few thousand."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was verified: entries ``[start, size)``, with ``root`` over all ``size``."""

    start: int
    size: int
    root: bytes
    checkpoints: int
    """How many signed checkpoints were compared."""
    signed: int
    """Up to which size a checkpoint vouches for the log; entries after it are whole but not signed yet."""
    pruned: int
    """How many payloads were dropped by a recorded prune; their hashes are there."""


def verify(
    connection: Connection,
    keys: Sequence[NoteKey],
    *,
    trusted: Checkpoint | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Verifies the log as it is now; it may grow meanwhile.

    ``trusted`` is a checkpoint from outside this database (an earlier verification's, a witness's): the log
    must contain it. With ``resume``, entries before it are taken as verified then, and only those after it
    are read.

    Raises :class:`IntegrityError` for the first thing that is wrong, with the entry in
    ``metadata["log_index"]`` and, where the blame can't be narrowed to one, the last suspect in
    ``metadata["log_index_last"]``.
    """
    with store.reading():
        size, root, lowest, highest, newest = store.extent(connection)
    if size is None and root is None:
        size, root = 0, merkle.EMPTY_ROOT
    if type(size) is not int or size < 0 or type(root) is not bytes:
        raise IntegrityError("the audit log does not verify: its head is malformed", reason="ROOT_MISMATCH")
    if lowest < 0:
        _fail("a row lies before the beginning of the log", "ROW_ADDED", lowest)
    if highest >= size:
        _fail(f"a row lies beyond the end of the log, which has {size} entries", "ROW_ADDED", size)
    if newest > size:
        _fail(f"a checkpoint of {newest} entries was signed, and the log has {size}", "LOG_ROLLED_BACK", size)
    if trusted is not None and trusted.size > size:
        raise IntegrityError(
            f"the log has {size} entries, and had {trusted.size} before: it was rolled back or cut",
            reason="LOG_ROLLED_BACK",
        )
    start = trusted.size if trusted is not None and resume else 0
    verification = _Verification(connection, keys, start, size, trusted)
    verification.run(progress)
    if verification.beyond:
        return verify(connection, keys, trusted=trusted, resume=resume, progress=progress)
    if verification.frontier.root() != root:
        _fail(
            "the root does not follow from the entries after the last checkpoint",
            "ROOT_MISMATCH",
            verification.good,
            size - 1,
        )
    return Report(start, size, root, verification.compared, verification.good, verification.pruned)


def verified_checkpoint(connection: Connection, report: Report) -> str | None:
    """The newest signed note among those that this verification compared, to resume from; ``None`` without
    one.

    Not simply the newest one: the log may have grown meanwhile, and what grew was not verified.
    """
    with store.reading():
        return next(
            (note for _, note in store.checkpoints(connection, report.signed - 1, report.signed)), None
        )


class _Verification:
    """One pass over the rows, with the checkpoints alongside."""

    def __init__(
        self,
        connection: Connection,
        keys: Sequence[NoteKey],
        start: int,
        size: int,
        trusted: Checkpoint | None,
    ) -> None:
        self.connection = connection
        self.keys = keys
        self.start = start
        self.size = size
        self.compared = 0
        self.pruned = 0
        self.covered = 0
        """Below which entry recorded prunes account for missing payloads, as far as it was needed."""
        self.beyond = False
        """Whether one of these prunes began meanwhile: it counts once its own entry is verified, too."""
        self.good = start
        """Up to which size a checkpoint agreed."""
        self.frontier = merkle.Frontier()
        self._trusted = trusted
        if start and trusted is not None:
            with store.reading():
                self.frontier = merkle.Frontier.read(start, reader(connection))
            if self.frontier.root() != trusted.root:
                _fail("an entry before the trusted checkpoint was changed", "ROOT_MISMATCH", 0, start - 1)

    def run(self, progress: Progress | None) -> None:
        """Reads every row from ``start`` on."""
        with store.reading():
            checkpoints = self._checkpoints()
            upcoming = next(checkpoints, None)
            for rows in store.scan(self.connection, self.start, self.size):
                done = 0
                while upcoming is not None and upcoming.size <= self.frontier.size + len(rows) - done:
                    part = upcoming.size - self.frontier.size
                    self._rows(rows[done : done + part])
                    done += part
                    self._compare(upcoming)
                    upcoming = next(checkpoints, None)
                self._rows(rows[done:])
                if progress is not None:
                    progress(self.frontier.size - self.start, self.size - self.start)
            if self.frontier.size != self.size:
                _fail(f"entry {self.frontier.size} is missing", "ENTRY_MISSING", self.frontier.size)

    def _rows(self, rows: Sequence[store.Row]) -> None:
        """Derives the hashes of these rows: about 3 µs an entry, which is what verification costs."""
        if not rows:
            return
        first = self.frontier.size
        indexes, hashes, payloads = zip(*rows, strict=True)
        if indexes != tuple(range(first, first + len(rows))):
            gap = next(place for place, index in enumerate(indexes) if index != first + place)
            self._rows(rows[:gap])
            _fail(f"entry {first + gap} is missing", "ENTRY_MISSING", first + gap)
        try:
            leaves = [merkle.leaf_hash(payload) for payload in payloads]
        except TypeError:  # a payload is gone, or is no bytes
            leaves = [self._leaf(*row) for row in rows]
        computed = self.frontier.extend(leaves)
        if tuple(computed) != hashes:
            wrong = next(
                place for place, pair in enumerate(zip(computed, hashes, strict=True)) if pair[0] != pair[1]
            )
            _blame(first + wrong, computed[wrong], hashes[wrong])

    def _leaf(self, log_index: int, hashes: object, payload: object) -> bytes:
        """The leaf hash of a row among which some have no payload."""
        if isinstance(payload, bytes):
            return merkle.leaf_hash(payload)
        return self._without_payload(log_index, hashes, payload)

    def _without_payload(self, log_index: int, hashes: object, payload: object) -> bytes:
        """The leaf hash that a pruned row kept."""
        if payload is not None or not isinstance(hashes, bytes):
            _fail(f"entry {log_index} is not bytes", "ENTRY_CHANGED", log_index)
        if log_index >= self.covered:
            self._read_prunes()
        if log_index >= self.covered:
            _fail(
                f"the payload of entry {log_index} is gone, and not by a prune", "PAYLOAD_MISSING", log_index
            )
        self.pruned += 1
        return hashes[: merkle.HASH_BYTES]

    def _read_prunes(self) -> None:
        """Looks what recorded prunes cover. A prune is recorded before its first payload goes, and can only
        cover what came before it.
        """
        for log_index in store.prunes(self.connection):
            found = store.payload(self.connection, log_index)
            try:
                entry = decode(found[0]) if found and found[0] is not None else None
                if entry is None or entry.kind is not Kind.AUDIT_PRUNED:
                    continue
                stop = min(int(entry.details["stop"]), log_index)
            except (IntegrityError, KeyError, ValueError):
                continue  # this entry was changed: it covers nothing, and is named when its turn comes
            if stop > self.covered:
                self.covered = stop
                self.beyond = self.beyond or log_index >= self.size

    def _checkpoints(self) -> Iterator[Checkpoint]:
        """The checkpoints to compare with, by size: the signed ones, opened, and the trusted one."""
        trusted = self._trusted
        for size, note in store.checkpoints(self.connection, self.start, self.size):
            if trusted is not None and self.start < trusted.size <= size:
                yield trusted
                trusted = None
            try:
                checkpoint = open_checkpoint(note, self.keys)
            except IntegrityError as error:
                _fail(f"the checkpoint of {size} entries: {error.message}", error.reason, size - 1)
            if checkpoint.size != size:
                _fail(
                    f"a checkpoint of {checkpoint.size} entries is filed under {size}",
                    "NOTE_MALFORMED",
                    size - 1,
                )
            yield checkpoint
        if trusted is not None and trusted.size > self.start:
            yield trusted

    def _compare(self, checkpoint: Checkpoint) -> None:
        if self.frontier.root() != checkpoint.root:
            _fail(
                f"the root at size {checkpoint.size} is not the one that was signed: an entry was changed",
                "ROOT_MISMATCH",
                self.good,
                checkpoint.size - 1,
            )
        self.good = checkpoint.size
        self.compared += 1


def _blame(log_index: int, computed: bytes, stored: object) -> NoReturn:
    """Names the entries below the smallest node whose stored hash is not what its leaves give."""
    hashes = stored if isinstance(stored, bytes) else b""
    level = 0
    while (end := (level + 1) * merkle.HASH_BYTES) <= len(computed) and computed[:end] == hashes[:end]:
        level += 1
    if level == 0:
        _fail(f"entry {log_index} does not have the hash that was stored for it", "ENTRY_CHANGED", log_index)
    first = max(0, log_index + 1 - (1 << level))
    _fail(f"entries {first} to {log_index} are not those that were logged", "ENTRY_CHANGED", first, log_index)


def _fail(message: str, reason: str, log_index: int, last: int | None = None) -> NoReturn:
    metadata = {"log_index": str(log_index)}
    if last is not None and last != log_index:
        metadata["log_index_last"] = str(last)
    raise IntegrityError(f"the audit log does not verify: {message}", reason=reason, metadata=metadata)
