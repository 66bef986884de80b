"""The search index: which entries of a block have which terms. It follows from the payloads and is never
proof of anything.

The log is cut into blocks of 4,096 entries. For a whole block, each term (a kind, a caller, a segment with
its outcome, …) has the set of the positions that have it. An append does no work for this: a thread indexes
whole blocks afterwards, and search reads the entries after the last whole block themselves. Subjects are
too many to be terms: each block has four bytes for each entry's subject, in order, which search runs
through at memory speed.
"""

from __future__ import annotations

import threading
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypedDict
from zlib import crc32

from segserver.audit.entry import Sought, decode_sought
from segserver.audit.log import read_head
from segserver.errors import IntegrityError, Unavailable
from segserver.storage import log as store
from segserver.storage import log_index

if TYPE_CHECKING:
    from segserver.storage.contract import Connection, Database
    from segserver.storage.writer import Writer

BLOCK_ENTRIES = 4096
BLOCK_BYTES = BLOCK_ENTRIES // 8
SPARSE_MAX = 128
"""Up to this many positions a list of two bytes each is kept; above it a bitmap, longer than any list."""
FINGERPRINT_BYTES = 4
NO_SUBJECT = bytes(FINGERPRINT_BYTES)

INTERVAL_SECONDS = 1.0
PAUSE_ENTRIES = 64
PAUSE_SECONDS = 0.001
"""After so many entries (half a millisecond) the indexer rests: no answer waits long for the interpreter."""

OUTCOMES = ("member", "not_member", "unknown", "withheld")
MIXED = "mixed"
"""Stands for any of them: the outcome of a segment that differs from subject to subject of a batch."""


def terms(entry: Sought) -> Iterator[tuple[str, Iterable[str]]]:
    """The terms under which an entry is found: fields, each with its values."""
    segments = entry.segments
    yield "kind", (entry.kind,)
    yield "result", (entry.result,)
    if entry.caller:
        yield "caller", (entry.caller,)
    if entry.purpose:
        yield "purpose", (entry.purpose,)
    if segments.others:
        yield "others", (segments.others,)
    for outcome in (*OUTCOMES, MIXED):
        if named := getattr(segments, outcome):
            yield "outcome", (outcome,)
            yield outcome, named
    if entry.withheld:
        yield "withheld_by", entry.withheld


def fingerprint(subject: str) -> bytes:
    """Four bytes for a subject's token; what they find is compared with the token itself."""
    return crc32(subject.encode()).to_bytes(FINGERPRINT_BYTES, "big") if subject else NO_SUBJECT


def pack(positions: Sequence[int]) -> bytes:
    """A set of positions (ascending) in a block, as it is stored."""
    if len(positions) <= SPARSE_MAX:
        return array("H", positions).tobytes()
    bits = bytearray(BLOCK_BYTES)
    for position in positions:
        bits[position >> 3] |= 1 << (position & 7)
    return bytes(bits)


def unpack(stored: bytes) -> int:
    """A stored set as an int whose bit ``n`` is set for position ``n``."""
    if len(stored) == BLOCK_BYTES:
        return int.from_bytes(stored, "little")
    bits = 0
    for position in array("H", stored):
        bits |= 1 << position
    return bits


class Block(TypedDict):
    """The index of one block."""

    time_min: str
    time_max: str
    fingerprints: bytes
    postings: dict[str, bytes]


class BlockBuilder:
    """Gathers the index of one block, entry by entry."""

    def __init__(self) -> None:
        self._positions: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        self._fingerprints: list[bytes] = []
        self._times: list[str] = []

    def add(self, payload: bytes | None) -> None:
        """Takes the next entry; a pruned one has nothing to be found by."""
        position = len(self._fingerprints)
        if payload is None:
            self._fingerprints.append(NO_SUBJECT)
            return
        entry = decode_sought(payload)
        for field, values in terms(entry):
            positions = self._positions[field]
            for value in values:
                positions[value].append(position)
        self._fingerprints.append(fingerprint(entry.subject))
        self._times.append(entry.time)

    def block(self) -> Block:
        """The index of what was added."""
        postings = {
            f"{field}:{value}": pack(positions)
            for field, values in self._positions.items()
            for value, positions in values.items()
        }
        return Block(
            time_min=min(self._times, default=""),
            time_max=max(self._times, default=""),
            fingerprints=b"".join(self._fingerprints),
            postings=postings,
        )


class Indexer:
    """A thread that indexes whole blocks some moments after they are logged, gently."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self._connection = database.connect(read_only=True)
        self._writer = writer
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="segserver-indexer", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stops; a block that is not finished is begun anew next time."""
        self._stop.set()
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        while not self._stop.wait(INTERVAL_SECONDS):
            try:
                while not self._stop.is_set() and index_next(self._connection, self._writer, self._rest):
                    pass
            except (Unavailable, IntegrityError):
                continue  # the notary and verify tell of a damaged log; search reads what is not indexed

    def _rest(self) -> bool:
        return self._stop.wait(PAUSE_SECONDS)


def index_next(connection: Connection, writer: Writer, rest: Callable[[], bool] = lambda: False) -> bool:
    """Indexes the next whole block, if there is one; tells whether there was.

    ``rest`` is called after every few entries and stops the work by returning true.
    """
    with store.reading():
        number = log_index.block_count(connection)
        first = number * BLOCK_ENTRIES
        if read_head(connection)[0] < first + BLOCK_ENTRIES:
            return False
        block = read_block(connection, number, rest)
    if block is None:
        return False
    writer.write_blocking(partial(log_index.add_block, block=number, **block))
    return True


def read_block(connection: Connection, number: int, rest: Callable[[], bool] = lambda: False) -> Block | None:
    """The index of a whole block, from its payloads; ``None`` when ``rest`` stopped the work."""
    builder = BlockBuilder()
    first = number * BLOCK_ENTRIES
    for rows in store.scan(connection, first, first + BLOCK_ENTRIES):
        for position, row in enumerate(rows):
            builder.add(row[2])
            if position % PAUSE_ENTRIES == 0 and rest():
                return None
    return builder.block()
