"""Recording events: batches of 10,000 through the engine, durable with their audit entries, beside SQLite.

The yardstick writes the same events as JSON rows, plain to read, with an index on subject and time, and as
durable: what one would do without names hidden, histories sealed, ids and a log. The two take turns, batch by
batch, and are measured in processor time.
"""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from segserver.config import Config
from segserver.engine import Engine, build
from segserver.engine.events import Occurrence, Told
from segserver.model import Caller, Role, SubjectId
from segserver.strategies.manager import load

BATCHES, BATCH = 10, 10_000
YEAR_US = 365 * 86_400_000_000
CALLER = Caller("shop", frozenset({Role.WRITER}), frozenset())
CATALOG = """
purposes:
  analytics: {legal_basis: legitimate_interest, categories: [behavioral, financial]}
events:
  order:
    category: behavioral
    properties:
      amount: {type: double, category: financial}
      channel: {type: string, category: behavioral}
computed:
  spent: {event: order, aggregate: sum, of: amount, window: 90d, category: financial}
"""


def rows() -> list[dict[str, Any]]:
    """A row for many subjects with a few events each in a batch, and one for few with many."""
    return [_row(subjects) for subjects in (2_000, 200)]


def _row(subjects: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "catalog").mkdir()
        (folder / "catalog" / "catalog.yaml").write_text(CATALOG, encoding="utf-8")
        config = Config(data_dir=folder / "data", catalog_dir=folder / "catalog", dev=True)
        engine = build(config, installed=load(entry_points=[]))
        plain = _plain(folder / "plain.db")
        try:
            ours, theirs = asyncio.run(_turns(engine, plain, subjects))
        finally:
            plain.close()
            engine.close()
    return {
        "name": f"record {BATCH:,} events of {subjects:,} subjects, durable",
        "value": round(ours),
        "unit": "events/s of a processor",
        "yardstick": "SQLite, JSON rows",
        "yardstick_value": round(theirs),
        "ratio": round(ours / theirs, 2),
        "budget": ">= 20,000 events/s",
        "ok": ours >= 20_000,
    }


async def _turns(engine: Engine, plain: sqlite3.Connection, subjects: int) -> tuple[float, float]:
    """Events for a second of processor time, ours and theirs: of the median batch."""
    chance, now_us = random.Random(1), time.time_ns() // 1_000
    ours, theirs = [], []
    for number in range(BATCHES):
        first = number * BATCH
        batch = [_event(chance, now_us, first + index, subjects) for index in range(BATCH)]
        start = time.process_time()
        told = await engine.events.record(CALLER, batch)
        between = time.process_time()
        _write(plain, batch)
        ours.append(between - start)
        theirs.append(time.process_time() - between)
        if set(told) != {Told.RECORDED}:
            raise AssertionError("not all events were recorded")
    return BATCH / sorted(ours)[BATCHES // 2], BATCH / sorted(theirs)[BATCHES // 2]


def _event(chance: random.Random, now_us: int, number: int, subjects: int) -> Occurrence:
    properties = {
        "amount": chance.randrange(1, 50_000) / 100,
        "channel": chance.choice(["web", "app", "store"]),
    }
    subject = SubjectId("customer", f"c-{chance.randrange(subjects)}")
    return Occurrence(subject, "order", now_us - chance.randrange(YEAR_US), properties, f"order-{number}")


def _plain(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(
        "CREATE TABLE events (id TEXT PRIMARY KEY, subject TEXT, at INTEGER, event TEXT, properties TEXT)"
    )
    connection.execute("CREATE INDEX by_subject ON events (subject, event, at)")
    return connection


def _write(connection: sqlite3.Connection, batch: Sequence[Occurrence]) -> None:
    with connection:
        connection.executemany(
            "INSERT INTO events VALUES (?, ?, ?, ?, ?)",
            [(one.id, one.subject.id, one.at_us, one.event, json.dumps(one.properties)) for one in batch],
        )
