"""Entries in the forms that other programs read: JSON Lines, CSV, Parquet, and OCSF events.

None of these is proof; :mod:`segserver.audit.proof` makes that. OCSF (Open Cybersecurity Schema Framework,
schema.ocsf.io) is what security monitoring reads: every entry is an event of its class API Activity, with
the entry's own bytes as raw data.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import IO, Any

import msgspec

from segserver import __version__
from segserver.audit.entry import Entry, Kind, decode
from segserver.errors import InvalidInput

OCSF_VERSION = "1.9.0-dev"
OCSF_CATEGORY, OCSF_CLASS = 6, 6003
OCSF_CREATE, OCSF_READ, OCSF_UPDATE, OCSF_DELETE, OCSF_OTHER = 1, 2, 3, 4, 99
OCSF_INFORMATIONAL, OCSF_MEDIUM = 1, 3

PARQUET_ROWS = 8192

_LISTS = ("member", "not_member", "unknown", "withheld", "mixed")
_MAPPINGS = ("withheld", "failed", "strategies", "details")
COLUMNS = (
    *("log_index", "time", "kind", "caller", "request_id", "purpose", "legal_basis", "subject", "result"),
    *(f"segments_{name}" for name in _LISTS),
    *(
        "segments_others",
        "read",
        "missing",
        "withheld",
        "failed",
        "consent",
        "catalog",
        "strategies",
        "inputs",
    ),
    *("subjects", "results_root", "details"),
)
"""The columns of CSV and Parquet, in order."""


@dataclass(frozen=True, slots=True)
class Record:
    """One entry as it is stored."""

    log_index: int
    payload: bytes

    def entry(self) -> Entry:
        """The entry in these bytes."""
        return decode(self.payload)


def export(records: Iterable[Record], form: str, output: IO[bytes], *, origin: str = "") -> int:
    """Writes records in the form ``jsonl``, ``csv``, ``parquet`` or ``ocsf``; returns how many.

    ``origin`` is the log's name. Raises :class:`InvalidInput` for another form.
    """
    write = _FORMS.get(form)
    if write is None:
        raise InvalidInput.of(
            "format", f"expected one of {', '.join(sorted(_FORMS))}", reason="FORMAT_UNKNOWN"
        )
    return write(records, output, origin)


def ocsf(record: Record, origin: str) -> dict[str, Any]:
    """An entry as an OCSF event."""
    entry = record.entry()
    activity = _ACTIVITIES.get(entry.kind, OCSF_OTHER)
    caller = entry.caller or "segserver"
    denied = entry.result != "OK"
    event: dict[str, Any] = {
        "category_uid": OCSF_CATEGORY,
        "class_uid": OCSF_CLASS,
        "activity_id": activity,
        "type_uid": OCSF_CLASS * 100 + activity,
        "time": int(dt.datetime.fromisoformat(entry.time).timestamp() * 1000),
        "severity_id": OCSF_MEDIUM if denied else OCSF_INFORMATIONAL,
        "status_id": 2 if denied else 1,
        "status_code": entry.result,
        "message": f"{caller}: {entry.kind.replace('_', ' ')}",
        "actor": {"app_name": caller},
        "src_endpoint": {"svc_name": caller},
        "api": {"operation": str(entry.kind), "request": {"uid": entry.request_id or str(record.log_index)}},
        "metadata": {
            "version": OCSF_VERSION,
            "product": {"name": "segserver", "vendor_name": "segserver", "version": __version__},
            "log_name": origin or "audit",
            "original_time": entry.time,
            "uid": f"{origin or 'audit'}/{record.log_index}",
        },
        "raw_data": record.payload.decode(),
        "raw_data_hash": {"algorithm_id": 3, "value": sha256(record.payload).hexdigest()},
        "raw_data_size": len(record.payload),
        "unmapped": msgspec.to_builtins(entry),
    }
    if activity == OCSF_OTHER:
        event["activity_name"] = entry.kind.replace("_", " ")
    if entry.subject:
        event["resources"] = [{"uid": entry.subject, "type": "subject"}]
    return event


_ACTIVITIES = {
    Kind.EVALUATION: OCSF_READ,
    Kind.BATCH_EVALUATION: OCSF_READ,
    Kind.EXPLAIN: OCSF_READ,
    Kind.PROFILE_WRITTEN: OCSF_UPDATE,
    Kind.PROFILE_READ: OCSF_READ,
    Kind.CONSENT_RECORDED: OCSF_CREATE,
    Kind.CONSENT_WITHDRAWN: OCSF_UPDATE,
    Kind.OBJECTION: OCSF_CREATE,
    Kind.SIGNAL: OCSF_CREATE,
    Kind.SUBJECT_EXPORTED: OCSF_READ,
    Kind.SUBJECT_ERASED: OCSF_DELETE,
    Kind.SUBJECT_RESTRICTED: OCSF_UPDATE,
    Kind.SUBJECT_REIDENTIFIED: OCSF_READ,
    Kind.CATALOG_PUBLISHED: OCSF_CREATE,
    Kind.AUDIT_READ: OCSF_READ,
    Kind.AUDIT_EXPORTED: OCSF_READ,
    Kind.AUDIT_PRUNED: OCSF_DELETE,
}


def _row(record: Record) -> dict[str, Any]:
    entry = record.entry()
    row: dict[str, Any] = {name: getattr(entry, name, "") for name in COLUMNS}
    row |= {f"segments_{name}": list(getattr(entry.segments, name)) for name in _LISTS}
    row |= {
        name: msgspec.json.encode(getattr(entry, name), order="deterministic").decode() for name in _MAPPINGS
    }
    row |= {"read": list(entry.read), "missing": list(entry.missing), "kind": str(entry.kind)}
    return row | {"log_index": record.log_index, "segments_others": entry.segments.others}


def _write_jsonl(records: Iterable[Record], output: IO[bytes], _: str) -> int:
    return _lines(output, (b'{"log_index":%d,"entry":%b}' % (r.log_index, r.payload) for r in records))


def _write_ocsf(records: Iterable[Record], output: IO[bytes], origin: str) -> int:
    return _lines(output, (msgspec.json.encode(ocsf(record, origin)) for record in records))


def _lines(output: IO[bytes], lines: Iterator[bytes]) -> int:
    count = 0
    for line in lines:
        output.write(line + b"\n")
        count += 1
    return count


def _write_csv(records: Iterable[Record], output: IO[bytes], _: str) -> int:
    """RFC 4180; a list is its items, separated by spaces, and a mapping is JSON."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    count = 0
    for record in records:
        row = _row(record)
        writer.writerow(
            {key: " ".join(value) if isinstance(value, list) else value for key, value in row.items()}
        )
        output.write(text.getvalue().encode())
        text.seek(0)
        text.truncate()
        count += 1
    output.write(text.getvalue().encode())
    return count


def _write_parquet(records: Iterable[Record], output: IO[bytes], _: str) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = dict.fromkeys(COLUMNS, pa.string())
    types |= dict.fromkeys(
        [*(f"segments_{name}" for name in _LISTS), "read", "missing"], pa.list_(pa.string())
    )
    types |= {"log_index": pa.int64(), "subjects": pa.int64(), "time": pa.timestamp("us", "UTC")}
    schema = pa.schema(list(types.items()))
    count = 0
    with pq.ParquetWriter(output, schema, compression="zstd") as writer:
        for rows in _batches(map(_row, records)):
            for row in rows:
                row["time"] = dt.datetime.fromisoformat(row["time"])
            writer.write_table(pa.Table.from_pylist(rows, schema))
            count += len(rows)
    return count


def _batches(rows: Iterator[dict[str, Any]]) -> Iterator[Sequence[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == PARQUET_ROWS:
            yield batch
            batch = []
    if batch:
        yield batch


_FORMS: dict[str, Callable[[Iterable[Record], IO[bytes], str], int]] = {
    "jsonl": _write_jsonl,
    "csv": _write_csv,
    "parquet": _write_parquet,
    "ocsf": _write_ocsf,
}
FORMATS = tuple(sorted(_FORMS))
