"""Appending to the log, inside the transaction of the work that the entries tell of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from segserver.audit import merkle
from segserver.errors import IntegrityError
from segserver.storage import log as store

if TYPE_CHECKING:
    from segserver.storage.contract import Connection


class Log:
    """The log as one process appends to it. :meth:`append` is what the store's writer is given.

    Several processes may append to one log: the head is read again inside each transaction, and the
    frontier in memory is used only while it is the frontier of that head.
    """

    def __init__(self) -> None:
        self._frontier = merkle.Frontier()
        self._root = merkle.EMPTY_ROOT

    def append(self, connection: Connection, payloads: Sequence[bytes]) -> Sequence[int]:
        """Appends payloads in order, inside the caller's transaction; returns their log indexes.

        Rows and head move together or not at all. Raises :class:`IntegrityError` when the stored hashes do
        not give the stored head: a log that is known to be damaged takes no more entries.
        """
        if not payloads:
            return ()
        frontier = self._current(connection)
        first = frontier.size
        stored = frontier.extend(map(merkle.leaf_hash, payloads))
        root = frontier.root()
        store.append(connection, first, stored, payloads, root)
        self._frontier, self._root = frontier, root
        return range(first, frontier.size)

    def _current(self, connection: Connection) -> merkle.Frontier:
        """A frontier of our own for the head as this transaction sees it.

        The one in memory belongs to another head when another process appended meanwhile, or when our own
        last transaction was rolled back.
        """
        size, root = read_head(connection)
        if (size, root) == (self._frontier.size, self._root):
            return self._frontier.copy()
        frontier = merkle.Frontier.read(size, reader(connection))
        if frontier.root() != root:
            raise IntegrityError(
                f"the stored hashes of the audit log do not give its root at size {size}: verify the log",
                reason="LOG_DAMAGED",
            )
        return frontier


def read_head(connection: Connection) -> tuple[int, bytes]:
    """The log's size and root; of an empty log, 0 and the empty root."""
    return store.head(connection) or (0, merkle.EMPTY_ROOT)


def reader(connection: Connection) -> merkle.NodeReader:
    """Reads tree nodes from the store. Raises :class:`IntegrityError` for one that is not there."""

    def read(nodes: Sequence[merkle.Node]) -> Sequence[bytes]:
        found = []
        for node in nodes:
            log_index, offset = merkle.stored_at(node)
            stored = store.hashes(connection, log_index) or b""
            part = stored[offset : offset + merkle.HASH_BYTES]
            if len(part) != merkle.HASH_BYTES:
                raise IntegrityError(f"entry {log_index} lacks a stored hash", reason="LOG_DAMAGED")
            found.append(part)
        return found

    return read
