"""Retention: dropping payloads while keeping what proves the rest.

A prune is itself an entry, durable before the first payload goes. Leaf hashes stay, so that the root, every
checkpoint and every proof that was given out before stay valid.
"""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import TYPE_CHECKING

from segserver.audit.entry import Entry, Kind, encode, time_of, timestamp
from segserver.audit.index import BLOCK_ENTRIES, read_block
from segserver.audit.log import read_head
from segserver.errors import IntegrityError
from segserver.storage import log as store
from segserver.storage import log_index

if TYPE_CHECKING:
    from segserver.storage.contract import Connection
    from segserver.storage.writer import Writer

DROP_ENTRIES = 2048
"""How many payloads one transaction drops: a few milliseconds, so that answers do not wait behind it."""


def first_at(connection: Connection, before: dt.datetime, stop: int) -> int:
    """The first entry, among those below ``stop``, that is not older than ``before``.

    Entries are logged within moments of their time, so their order is nearly that of their times; a
    bisection finds a place near the boundary, and a step back from there makes sure that nothing younger is
    dropped.
    """
    boundary = timestamp(before)
    low = store.first_payload(connection, 0)
    if low is None:
        return 0
    high = stop
    while low < high:
        middle = (low + high) // 2
        if _time(connection, middle) < boundary:
            low = middle + 1
        else:
            high = middle
    for earlier in range(max(0, low - _DISORDER), low):
        found = store.payload(connection, earlier)
        if found is not None and found[0] is not None and time_of(found[0]) >= boundary:
            return earlier
    return low


_DISORDER = 4096
"""How far apart from their order in time two entries can stand: more than all processes' queues in flight."""


def prune(
    writer: Writer, connection: Connection, *, before: dt.datetime, caller: str, now: dt.datetime
) -> int:
    """Drops the payloads of entries older than ``before``; returns how many went.

    Dropping goes in small transactions; after a kill, calling it again goes on. Raises :class:`Unavailable`.
    """
    with store.reading():
        size, _ = read_head(connection)
        stop = first_at(connection, before, size)
        first = store.first_payload(connection, 0)
    if first is None or first >= stop:
        return 0
    entry = Entry(
        time=timestamp(now),
        kind=Kind.AUDIT_PRUNED,
        caller=caller,
        details={"before": timestamp(before), "first": str(first), "stop": str(stop)},
    )
    recorded = writer.write_blocking(entries=[encode(entry)]).indexes[0]
    writer.write_blocking(partial(store.add_prune, log_index=recorded))
    dropped = 0
    for low in range(first, stop, DROP_ENTRIES):
        drop = partial(store.drop_payloads, start=low, stop=min(low + DROP_ENTRIES, stop))
        dropped += writer.write_blocking(drop).result
    writer.write_blocking(partial(log_index.clear_blocks, below=stop // BLOCK_ENTRIES))
    with store.reading():
        if stop // BLOCK_ENTRIES < log_index.block_count(connection):
            block = stop // BLOCK_ENTRIES
            if (left := read_block(connection, block)) is not None:
                writer.write_blocking(partial(log_index.replace_block, block=block, **left))
    return dropped


def _time(connection: Connection, log_index: int) -> str:
    found = store.payload(connection, log_index)
    if found is None or found[0] is None:
        raise IntegrityError(
            f"entry {log_index} is missing; verify the log before pruning", reason="LOG_DAMAGED"
        )
    return time_of(found[0])
