"""Finding entries: by time, kind, caller, purpose, segment, outcome, reason, result and subject; newest
first, by pages.

The index names candidates; each is read and compared with the filter, so the index can cause no false
result. That it hides none is checked by making it anew, which :func:`rebuild` does.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from segserver.audit.entry import Entry, Kind, Sought, decode, decode_sought, time_of
from segserver.audit.index import (
    BLOCK_ENTRIES,
    FINGERPRINT_BYTES,
    MIXED,
    OUTCOMES,
    fingerprint,
    index_next,
    unpack,
)
from segserver.audit.log import read_head
from segserver.errors import InvalidInput
from segserver.storage import log as store
from segserver.storage import log_index

if TYPE_CHECKING:
    from segserver.storage.contract import Connection
    from segserver.storage.writer import Writer

PAGE_ENTRIES_MAX = 1000
NAMES = ("caller", "purpose", "segment", "withheld_by", "result")
"""The fields of a filter that hold a name or a code of entries."""
ALL = (1 << BLOCK_ENTRIES) - 1


@dataclass(frozen=True, slots=True)
class Filter:
    """What an entry must have; empty fields ask for nothing.

    ``after`` is inclusive and ``before`` exclusive, both as :func:`segserver.audit.entry.timestamp` writes
    times. A ``segment`` is found with any outcome, or with ``outcome`` when that is given; an answer about
    a whole catalog counts as an answer about each segment, and a batch in which a segment's outcome differs
    from subject to subject as one with any. ``subjects`` are audit tokens, of which an entry has one.
    """

    after: str = ""
    before: str = ""
    kinds: tuple[Kind, ...] = ()
    caller: str = ""
    purpose: str = ""
    segment: str = ""
    outcome: str = ""
    withheld_by: str = ""
    result: str = ""
    subjects: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.outcome and self.outcome not in OUTCOMES:
            raise InvalidInput.of(
                "outcome", f"expected one of {', '.join(OUTCOMES)}", reason="OUTCOME_UNKNOWN"
            )

    def covers(self, time: str) -> bool:
        """Whether entries of this time are looked for."""
        return (not self.after or time >= self.after) and (not self.before or time < self.before)

    def matches(self, entry: Entry | Sought) -> bool:
        """Whether this entry is looked for."""
        return (
            self.covers(entry.time)
            and (not self.kinds or entry.kind in self.kinds)
            and (not self.caller or entry.caller == self.caller)
            and (not self.purpose or entry.purpose == self.purpose)
            and (not self.withheld_by or self.withheld_by in entry.withheld)
            and (not self.result or entry.result == self.result)
            and (not self.subjects or entry.subject in self.subjects)
            and self._matches_segments(entry)
        )

    def _matches_segments(self, entry: Entry | Sought) -> bool:
        if not self.segment:
            return (
                not self.outcome
                or bool(getattr(entry.segments, self.outcome) or entry.segments.mixed)
                or entry.segments.others == self.outcome
            )
        found = next(
            (name for name in (*OUTCOMES, MIXED) if self.segment in getattr(entry.segments, name)),
            entry.segments.others,
        )
        return found in (self.outcome, MIXED) if self.outcome else bool(found)

    def groups(self) -> Iterator[tuple[str, ...]]:
        """Terms of the index: an entry that matches has at least one term of each group."""
        if self.kinds:
            yield tuple(f"kind:{kind}" for kind in self.kinds)
        for name in ("caller", "purpose", "withheld_by", "result"):
            if value := getattr(self, name):
                yield (f"{name}:{value}",)
        if self.segment:
            wanted = (self.outcome,) if self.outcome else OUTCOMES
            yield tuple(f"{outcome}:{self.segment}" for outcome in (*wanted, MIXED)) + self._others()
        elif self.outcome:
            yield (f"outcome:{self.outcome}", f"outcome:{MIXED}", *self._others())

    def _others(self) -> tuple[str, ...]:
        return tuple(f"others:{outcome}" for outcome in OUTCOMES if self.outcome in ("", outcome))


@dataclass(frozen=True, slots=True)
class Found:
    """One entry with its place in the log."""

    log_index: int
    payload: bytes
    entry: Entry


@dataclass(frozen=True, slots=True)
class Page:
    """Entries, newest first; ``before`` asks for the next page, and is ``None`` on the last."""

    found: Sequence[Found]
    before: int | None


def search(connection: Connection, wanted: Filter, *, count: int = 50, before: int | None = None) -> Page:
    """The newest ``count`` entries below log index ``before`` that match. Raises :class:`Unavailable`."""
    if not 1 <= count <= PAGE_ENTRIES_MAX:
        raise InvalidInput.of("page_size", f"expected 1 to {PAGE_ENTRIES_MAX}", reason="PAGE_SIZE_INVALID")
    found: list[Found] = []
    with store.reading():
        size, _ = read_head(connection)
        stop = size if before is None else min(before, size)
        for number, payload, _ in _matching(connection, wanted, stop):
            if len(found) == count:
                return Page(found, found[-1].log_index)
            found.append(Found(number, payload, decode(payload)))
    return Page(found, None)


def unknown_names(connection: Connection, wanted: Filter) -> list[str]:
    """The fields of a filter whose value no entry names. It may be anything then, a person's id too."""
    given = [name for name in NAMES if getattr(wanted, name)]
    return [name for name in given if not _is_named(connection, name, getattr(wanted, name))]


def _is_named(connection: Connection, field: str, value: str) -> bool:
    """Whether an entry names this. An answer about a whole catalog names only the segments that it lists."""
    if field != "segment":
        wanted: dict[str, Any] = {field: value}
        return bool(search(connection, Filter(**wanted), count=1).found)
    with store.reading():
        if any(log_index.blocks_with(connection, f"{outcome}:{value}") for outcome in (*OUTCOMES, MIXED)):
            return True
        return any(
            value in getattr(decode_sought(payload).segments, outcome)
            for _, payload in _not_indexed(connection, read_head(connection)[0])
            for outcome in (*OUTCOMES, MIXED)
        )


def stats(connection: Connection, wanted: Filter) -> dict[str, Counter[str]]:
    """How many matching entries there are by kind, caller, purpose, result, outcome and withheld reason."""
    counts: dict[str, Counter[str]] = {
        name: Counter() for name in ("kind", "caller", "purpose", "result", "outcome", "withheld_by")
    }
    with store.reading():
        size, _ = read_head(connection)
        masks: dict[int, int] = {}
        if not wanted.subjects and not (wanted.segment and wanted.outcome):  # else the index is not exact
            inside = log_index.blocks_inside(connection, wanted.after, wanted.before)
            masks = {block: mask for block, mask in _candidates(connection, wanted, size) if block in inside}
        for name, counter in counts.items():
            for term, block, stored in log_index.postings(connection, f"{name}:") if masks else ():
                counter[term.partition(":")[2]] += (unpack(stored) & masks.get(block, 0)).bit_count()
        for _, _, entry in _matching(connection, wanted, size, counted=masks.keys()):
            _count(counts, entry)
    return {name: +counter for name, counter in counts.items()}


def rebuild(connection: Connection, writer: Writer) -> int:
    """Makes the index anew from the payloads; returns how many blocks it has."""
    writer.write_blocking(log_index.drop_index)
    blocks = 0
    while index_next(connection, writer):
        blocks += 1
    return blocks


def _count(counts: dict[str, Counter[str]], entry: Sought) -> None:
    counts["kind"][entry.kind] += 1
    counts["result"][entry.result] += 1
    for name in ("caller", "purpose"):
        if value := getattr(entry, name):
            counts[name][value] += 1
    counts["outcome"].update(outcome for outcome in (*OUTCOMES, MIXED) if getattr(entry.segments, outcome))
    counts["withheld_by"].update(entry.withheld.keys())


def _matching(
    connection: Connection, wanted: Filter, stop: int, counted: Set[int] = frozenset()
) -> Iterator[tuple[int, bytes, Sought]]:
    """The matching entries below ``stop``, newest first, but for those of blocks that are ``counted``
    already.

    What no indexed block holds is read as it is.
    """
    for number, payload in _not_indexed(connection, stop):
        if (entry := _sought(payload, wanted)) is not None:
            yield number, payload, entry
    for block, candidates in _candidates(connection, wanted, stop):
        mask = 0 if block in counted else candidates
        for number, kept in store.payloads(connection, _descending(mask, block * BLOCK_ENTRIES)):
            if kept is not None and (entry := _sought(kept, wanted)) is not None:
                yield number, kept, entry


def _not_indexed(connection: Connection, stop: int) -> Iterator[tuple[int, bytes]]:
    """The entries below ``stop`` that no block of the index holds and that were not pruned, newest first."""
    indexed = log_index.block_count(connection) * BLOCK_ENTRIES
    newest = (stop - 1) // store.SCAN_ROWS * store.SCAN_ROWS
    for low in range(newest, indexed - store.SCAN_ROWS, -store.SCAN_ROWS):
        for rows in store.scan(connection, max(indexed, low), min(low + store.SCAN_ROWS, stop)):
            for number, _, payload in reversed(rows):
                if payload is not None:
                    yield number, payload


def _sought(payload: bytes, wanted: Filter) -> Sought | None:
    """What an entry is found by, if it matches. One that does not by its time is not decoded."""
    if not wanted.covers(time_of(payload)):
        return None
    entry = decode_sought(payload)
    return entry if wanted.matches(entry) else None


def _descending(mask: int, first: int) -> Iterator[int]:
    """The log indexes of the positions in a block that begins with entry ``first``, the highest first."""
    while mask:
        position = mask.bit_length() - 1
        mask ^= 1 << position
        yield first + position


def _candidates(connection: Connection, wanted: Filter, stop: int) -> Iterator[tuple[int, int]]:
    """Blocks with the positions that can match, newest first."""
    groups = list(wanted.groups())
    blocks = [
        block
        for block in log_index.blocks_between(connection, wanted.after, wanted.before)
        if block * BLOCK_ENTRIES < stop
    ]
    for group in groups:
        having = set().union(*(log_index.blocks_with(connection, term) for term in group))
        blocks = [block for block in blocks if block in having]
    masks = dict.fromkeys(blocks, ALL)
    if wanted.subjects:
        by_subject = _by_subject(connection, wanted.subjects, stop)
        masks = {block: by_subject[block] for block in blocks if block in by_subject}
    if masks and (stop - 1) // BLOCK_ENTRIES in masks:
        masks[(stop - 1) // BLOCK_ENTRIES] &= (1 << ((stop - 1) % BLOCK_ENTRIES + 1)) - 1
    remaining = iter(masks.items())
    while page := dict(islice(remaining, log_index.PAGE_BLOCKS)):
        for group in groups:
            page = _having(connection, group, page)
        yield from page.items()


def _having(connection: Connection, group: Sequence[str], masks: dict[int, int]) -> dict[int, int]:
    """What is left of the positions in some blocks when only those with one of these terms are kept."""
    if not masks:
        return {}
    union: dict[int, int] = defaultdict(int)
    for term in group:
        for block, stored in log_index.positions(connection, term, min(masks), max(masks)):
            if block in masks:
                union[block] |= unpack(stored)
    return {block: left for block, mask in masks.items() if (left := mask & union[block])}


def _by_subject(connection: Connection, subjects: Sequence[str], stop: int) -> dict[int, int]:
    """The positions whose fingerprint is one of these subjects', by block."""
    marks = [fingerprint(subject) for subject in subjects]
    found: dict[int, int] = {}
    for block, stored in log_index.fingerprints(connection):
        mask = 0
        for mark in marks:
            place = stored.find(mark)
            while place >= 0:
                if place % FINGERPRINT_BYTES == 0:
                    mask |= 1 << (place // FINGERPRINT_BYTES)
                place = stored.find(mark, place + 1)
        if mask and block * BLOCK_ENTRIES < stop:
            found[block] = mask
    return found
