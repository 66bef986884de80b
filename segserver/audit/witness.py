"""A witness: whoever remembers the last checkpoint can't be shown another past.

It keeps one file, on another machine than the log's, and asks the log for its newest checkpoint and the
proof that it extends the remembered one. A log that was rolled back, cut, or written anew by a holder of
the key has no such proof.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from segserver.audit import merkle
from segserver.audit.note import Checkpoint, NoteKey, open_checkpoint
from segserver.errors import IntegrityError, Unavailable

Growth = Callable[[int, int], Sequence[bytes]]
"""Asks the log for the consistency proof between two sizes."""


class Witness:
    """The memory of one log.

    The first checkpoint it is shown is believed; from then on, only what extends it.
    """

    def __init__(self, path: Path, keys: Sequence[NoteKey]) -> None:
        self.path = path
        self._keys = keys

    def remembered(self) -> Checkpoint | None:
        """The last checkpoint seen. Raises :class:`IntegrityError` when the file is not what was written."""
        try:
            note = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise Unavailable("the witness's file can't be read", reason="WITNESS_UNREADABLE") from error
        return open_checkpoint(note, self._keys)

    def observe(self, note: str, growth: Growth) -> Checkpoint:
        """Takes the log's newest checkpoint, when it extends the remembered one, and remembers it.

        Raises :class:`IntegrityError`: ``LOG_ROLLED_BACK`` for a smaller log, ``LOG_FORKED`` for one with
        another past. What was remembered stays then, as the evidence.
        """
        seen = open_checkpoint(note, self._keys)
        known = self.remembered()
        if known is not None:
            _check_extends(known, seen, growth)
        if known != seen:
            self._remember(note)
        return seen

    def _remember(self, note: str) -> None:
        """Replaces the file in one step, so that a crash leaves the old one or the new one."""
        fresh = self.path.with_name(self.path.name + ".new")
        try:
            with fresh.open("w", encoding="utf-8", newline="\n") as file:
                file.write(note)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self.path)
        except OSError as error:
            raise Unavailable("the witness's file can't be written", reason="WITNESS_UNWRITABLE") from error


def _check_extends(known: Checkpoint, seen: Checkpoint, growth: Growth) -> None:
    if seen.origin != known.origin:
        raise IntegrityError(f"the witness knows the log {known.origin}, not this one", reason="OTHER_LOG")
    if seen.size < known.size:
        raise IntegrityError(
            f"the log has {seen.size} entries, and the witness saw {known.size}: it was rolled back",
            reason="LOG_ROLLED_BACK",
            metadata={"size": str(seen.size), "size_seen": str(known.size)},
        )
    try:
        proof = growth(known.size, seen.size) if known.size not in (0, seen.size) else ()
        if known.size:
            merkle.verify_consistency(known.size, seen.size, proof, known.root, seen.root)
    except IntegrityError as error:
        raise IntegrityError(
            f"the log is not the one of which the witness saw {known.size} entries: its past was changed",
            reason="LOG_FORKED",
            metadata={"size": str(seen.size), "size_seen": str(known.size)},
        ) from error
