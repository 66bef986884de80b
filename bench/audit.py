"""The audit log: durable appends, verification and proofs."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.audit_entries import make
from bench.audit_load import evaluation_us
from segserver.audit import entry, proof
from segserver.audit.checkpoints import sign
from segserver.audit.log import Log
from segserver.audit.note import Signer
from segserver.audit.verify import verify
from segserver.storage import log as store
from segserver.storage.sqlite import Database
from segserver.storage.writer import Writer

ENTRIES = 200_000
SINGLE, GROUPS = 300, (64, 256)
SIGNED_EVERY = 20_000


def rows() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        payloads = [entry.encode(make(number)) for number in range(30_000)]
        flush_us = _flush_us(path)
        return [*_encoding(), *_appends(path, payloads, flush_us), *_added(path), *_reading(path)]


def _row(
    name: str, value: float, unit: str, yardstick: str, other: float, ratio: float, budget: str, ok: bool
) -> dict[str, Any]:
    return {
        "name": name,
        "value": value,
        "unit": unit,
        "yardstick": yardstick,
        "yardstick_value": other,
        "ratio": ratio,
        "budget": budget,
        "ok": ok,
    }


def _flush_us(folder: Path) -> float:
    """What one flush of 4 KiB to this disk takes: the floor under every single durable append."""
    times = []
    with (folder / "flush").open("wb", buffering=0) as file:
        for _ in range(SINGLE):
            begin = time.perf_counter()
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - begin)
    return statistics.median(times) * 1e6


def _encoding() -> list[dict[str, Any]]:
    items = [make(number) for number in range(20_000)]
    begin = time.perf_counter()
    payloads = [entry.encode(item) for item in items]
    encode_us = (time.perf_counter() - begin) / len(items) * 1e6
    begin = time.perf_counter()
    for payload in payloads:
        sha256(payload).digest()
    hash_us = (time.perf_counter() - begin) / len(items) * 1e6
    size = sum(map(len, payloads)) // len(payloads)
    name = f"encode an entry of 20 segments ({size} bytes)"
    return [
        _row(name, encode_us, "µs", "SHA-256 of it", hash_us, encode_us / hash_us, "≤ 5 µs", encode_us <= 5)
    ]


def _appends(folder: Path, payloads: list[bytes], flush_us: float) -> list[dict[str, Any]]:
    database = Database(folder / "append.db")
    writer = Writer(database, Log().append)
    times = []
    for payload in payloads[:SINGLE]:
        begin = time.perf_counter()
        writer.write_blocking(entries=[payload])
        times.append((time.perf_counter() - begin) * 1e6)
    single = statistics.median(times)
    results = [
        _row(
            "one durable append, median",
            single,
            "µs",
            "fdatasync of 4 KiB",
            flush_us,
            single / flush_us,
            "≤ 1 ms",
            single <= 1000,
        )
    ]
    for group in GROUPS:
        begin = time.perf_counter()
        for low in range(0, len(payloads), group):
            writer.write_blocking(entries=payloads[low : low + group])
        rate = len(payloads) / (time.perf_counter() - begin)
        plain = _plain_rate(folder, payloads, group)
        name = f"durable appends in groups of {group}"
        results.append(
            _row(name, rate, "/s", "SQLite alone", plain, rate / plain, "≥ 50,000/s", rate >= 50_000)
        )
    writer.close()
    return results


def _added(folder: Path) -> list[dict[str, Any]]:
    """What the log adds to an evaluation under load; its budget is that of the whole evaluation."""
    with_log, without = evaluation_us(folder)
    return [
        {
            "name": "processor time of an evaluation of 20 segments with the log, 64 at a time",
            "value": with_log,
            "unit": "µs",
            "yardstick": "with a writer that keeps nothing",
            "yardstick_value": without,
            "ratio": with_log / without,
        }
    ]


def _plain_rate(folder: Path, payloads: list[bytes], group: int) -> float:
    """The same rows, without hashes and without the writer's thread."""
    connection = Database(folder / f"plain-{group}.db", []).connect()
    connection.execute("CREATE TABLE plain (number INTEGER PRIMARY KEY, payload BLOB NOT NULL) STRICT")
    begin = time.perf_counter()
    for low in range(0, len(payloads), group):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "INSERT INTO plain (payload) VALUES (?)", [[p] for p in payloads[low : low + group]]
        )
        connection.execute("COMMIT")
    seconds = time.perf_counter() - begin
    connection.close()
    return len(payloads) / seconds


def _reading(folder: Path) -> list[dict[str, Any]]:
    """Verifying a log of entries that were appended by groups, as a busy server does."""
    database = Database(folder / "read.db")
    writer = Writer(database, Log().append)
    signer = Signer("bench.example/log", Ed25519PrivateKey.generate())
    group = GROUPS[0]
    for low in range(0, ENTRIES, group):
        writer.write_blocking(entries=[entry.encode(make(number)) for number in range(low, low + group)])
        if low % SIGNED_EVERY < group:
            writer.write_blocking(lambda c: sign(c, signer))
    connection = database.connect(read_only=True)
    begin = time.process_time()
    verify(connection, [signer.key])
    verified = ENTRIES / (time.process_time() - begin)
    begin = time.process_time()
    for _ in store.scan(connection, 0, ENTRIES):
        pass
    bare = ENTRIES / (time.process_time() - begin)
    results = [
        _row(
            f"verify {ENTRIES:,} entries",
            verified,
            "/s a core",
            "reading the rows",
            bare,
            verified / bare,
            "≥ 300,000/s a core",
            verified >= 300_000,
        )
    ]
    results.append(
        {
            "name": "prove an entry",
            "value": _median_ms(lambda: proof.prove(connection, 12345, [signer.key])),
            "unit": "ms",
        }
    )
    connection.close()
    writer.close()
    return results


def _median_ms(call: Any) -> float:
    times = []
    for _ in range(7):
        begin = time.perf_counter()
        call()
        times.append((time.perf_counter() - begin) * 1e3)
    return statistics.median(times)
