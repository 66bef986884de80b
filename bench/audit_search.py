"""Search in the audit log: a log of so many entries is built, then looked through.

``SEGSERVER_BENCH_ENTRIES`` sets how many (default a million). The budget is for 10 million, which ``make
bench-search`` takes; that log needs 15 GB for some minutes.
"""

from __future__ import annotations

import datetime as dt
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.audit_entries import START, make
from segserver.audit import entry, search
from segserver.audit.entry import Kind
from segserver.audit.log import Log
from segserver.audit.search import Filter
from segserver.storage.contract import Connection
from segserver.storage.sqlite import Database
from segserver.storage.writer import Writer

ENTRIES = int(os.environ.get("SEGSERVER_BENCH_ENTRIES", "1000000"))
GROUP = 16_384
FORMS = 48
"""After so many entries the fields of :func:`make` repeat, but for the time, the id and the subject."""
SEARCHES = 7


def rows() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(Path(folder) / "search.db")
        writer = Writer(database, Log().append)
        connection = database.connect(read_only=True)
        try:
            for payloads in _groups():
                writer.write_blocking(entries=payloads)
            begin = time.process_time()
            search.rebuild(connection, writer)
            indexing_us = (time.process_time() - begin) / ENTRIES * 1e6
            return [
                {"name": "index an entry, afterwards", "value": indexing_us, "unit": "µs"},
                *_searches(connection),
            ]
        finally:
            connection.close()
            writer.close()


def _groups() -> Iterator[list[bytes]]:
    """The entries of :func:`make`, many at a time: what differs is written into forms made beforehand."""
    forms = []
    for number in range(FORMS):
        made = make(number)
        payload = entry.encode(made).replace(b"%", b"%%")
        for field in (made.time, made.request_id, made.subject):
            payload = payload.replace(field.encode(), b"%b")
        forms.append(payload)
    start_us = int(START.timestamp() * 1e6)
    for low in range(0, ENTRIES, GROUP):
        yield [
            forms[number % FORMS]
            % (
                entry.timestamp_us(start_us + number * 1000).encode(),
                b"0197d2a4-0000-7000-8000-%012x" % number,
                b"a1-%032x" % (number * 2654435761 % 2_000_003),
            )
            for number in range(low, min(low + GROUP, ENTRIES))
        ]


def _searches(connection: Connection) -> list[dict[str, Any]]:
    middle = make(ENTRIES // 2)
    later = entry.timestamp(START + dt.timedelta(milliseconds=ENTRIES // 2 + 500))
    filters = {
        "time range": Filter(after=middle.time, before=later),
        "caller and purpose": Filter(caller="service-3", purpose="marketing"),
        "segment, outcome, reason": Filter(
            segment="retail/segment-7", outcome="member", withheld_by="CONSENT_MISSING"
        ),
        "segment, any outcome, time range": Filter(
            segment="retail/segment-7", after=middle.time, before=later
        ),
        "caller and purpose that never meet": Filter(caller="service-3", purpose="analytics"),
        "no such kind": Filter(kinds=(Kind.SUBJECT_ERASED,)),
        "subject": Filter(subjects=(middle.subject,)),
    }
    took = {
        name: _median_ms(lambda wanted=wanted: search.search(connection, wanted, count=50))
        for name, wanted in filters.items()
    }
    return [
        {
            "name": f"search {ENTRIES:,} entries: {name}",
            "value": ms,
            "unit": "ms",
            "budget": "≤ 100 ms",
            "ok": ms <= 100,
        }
        for name, ms in took.items()
    ]


def _median_ms(call: Any) -> float:
    times = []
    for _ in range(SEARCHES):
        begin = time.perf_counter()
        call()
        times.append((time.perf_counter() - begin) * 1e3)
    return statistics.median(times)
