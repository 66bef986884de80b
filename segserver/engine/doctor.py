"""Examines an installation without a running server, or beside one: what is wrong with it, and what to do.

Each check is a function that yields findings; a check that raises is a failed one. Nothing is changed but the
note of how far the log was verified, which :data:`VERIFIED` keeps in the data directory.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import stat
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from cryptography import x509

from segserver.audit.entry import decode
from segserver.audit.note import Checkpoint, NoteKey, open_checkpoint
from segserver.audit.verify import verified_checkpoint, verify
from segserver.catalog import read_directory, resolve
from segserver.config import Config
from segserver.engine.audit import log_signer
from segserver.engine.keys import load_keyring
from segserver.engine.plugins import load_plugins
from segserver.engine.store import open_database
from segserver.errors import IntegrityError, SegserverError, Unavailable
from segserver.privacy.keyring import Keyring, check_keyring
from segserver.privacy.keys import choose
from segserver.rules.times import from_datetime
from segserver.storage import catalogs, log
from segserver.storage.contract import Connection, Database
from segserver.storage.sqlite import Database as File
from segserver.storage.sqlite.database import check_library, sqlite3
from segserver.storage.subjects import Subjects
from segserver.strategies.host import Host
from segserver.strategies.manager import Installed

State = Literal["ok", "warning", "failed", "skipped"]

VERIFIED = "verified.checkpoint"
LIBRARIES = ("grpcio", "protobuf", "cryptography", "polars", "pydantic")

FREE_BYTES_MIN, FREE_BYTES_LOW = 100 * 1024**2, 1024**3
SYNC_TIMES, SYNC_BYTES, SYNC_S_MAX = 16, 4_096, 0.02
"""A commit waits for the disk; with 20 ms each, a lone call takes longer than most callers like to wait."""
BEHIND_US_MAX = 5_000_000
KEY_AGE_DAYS_MAX = 365
CERTIFICATE_DAYS_LOW = 30

_DAY_US = 86_400_000_000
_OTHERS_WRITE, _OTHERS = stat.S_IWGRP | stat.S_IWOTH, stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found: ``says`` is how it is, ``do`` what to do about it."""

    check: str
    state: State
    says: str
    do: str = ""


@dataclass(slots=True)
class _Patient:
    """What checks have opened, for those after them."""

    config: Config
    now_us: int
    installed: Installed | None = None
    database: Database | None = None
    keyring: Keyring | None = None
    opened: list[Connection] = field(default_factory=list)

    def connect(self) -> Connection | None:
        """A connection to the store; ``None`` where there is none."""
        if self.database is None:
            return None
        connection = self.database.connect(read_only=True)
        self.opened.append(connection)
        return connection


_Check = Callable[[_Patient], Iterator[Finding]]


def examine(config: Config, now_us: int) -> list[Finding]:
    """Everything that is found, in the order in which to look at it."""
    patient = _Patient(config, now_us)
    found: list[Finding] = []
    try:
        for name, check in CHECKS.items():
            try:
                found += check(patient)
            except SegserverError as error:
                found.append(Finding(name, "failed", error.message, REMEDIES.get(error.reason, "")))
            except Exception as error:
                found.append(Finding(name, "failed", f"the check itself failed: {type(error).__name__}"))
    finally:
        for connection in patient.opened:
            connection.close()
        if patient.installed is not None:
            patient.installed.close()
    return found


def _libraries(patient: _Patient) -> Iterator[Finding]:
    python = ".".join(map(str, sys.version_info[:3]))
    found = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    yield Finding("libraries", "ok", f"segserver {version('segserver')}, Python {python}, {found}")
    if not patient.config.store.get_secret_value():
        check_library(sqlite3.sqlite_version)
        yield Finding("libraries", "ok", f"SQLite {sqlite3.sqlite_version} is without the WAL-reset bug")


def _files(patient: _Patient) -> Iterator[Finding]:
    """Who can read and change what is kept."""
    config = patient.config
    folder = config.data_dir
    if not folder.is_dir():
        yield Finding(
            "files",
            "failed",
            f"{folder} is not there",
            "make the keys with 'segserver keys init', or mend --data-dir",
        )
        return
    if folder.stat().st_mode & _OTHERS_WRITE:
        yield Finding("files", "failed", f"others can change what is in {folder}", f"chmod 700 {folder}")
    secrets = [config.keyring_path, config.dev_key_path, config.tls.key_file]
    for path in filter(None, secrets):
        if path.exists() and path.stat().st_mode & _OTHERS:
            yield Finding(
                "files",
                "failed",
                f"others can reach {path}",
                f"chmod 600 {path}; if it was exposed, renew the key",
            )
    for path in (config.database_path, folder):
        if path.exists() and path.stat().st_uid != os.geteuid():
            yield Finding(
                "files",
                "warning",
                f"{path} belongs to another user than the one who asks",
                "run this as the user that the server runs as",
            )
    if not os.access(folder, os.W_OK | os.X_OK):
        yield Finding("files", "failed", f"{folder} can't be written", "give it to the user of the server")
    else:
        yield Finding("files", "ok", f"{folder} can be written, by its owner alone")


def _disk(patient: _Patient) -> Iterator[Finding]:
    folder = patient.config.data_dir
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        yield Finding("disk", "skipped", "the data directory can't be written")
        return
    free = shutil.disk_usage(folder).free
    state: State = "failed" if free < FREE_BYTES_MIN else "warning" if free < FREE_BYTES_LOW else "ok"
    do = "" if state == "ok" else "make room, or prune the audit log ('segserver audit prune')"
    yield Finding("disk", state, f"{free / 1024**3:.1f} GiB free", do)
    took_s = sync_seconds(folder)
    slow = took_s > SYNC_S_MAX
    yield Finding(
        "disk",
        "warning" if slow else "ok",
        f"a write reaches the disk in {1_000 * took_s:.2f} ms",
        "every answer waits for the disk: take a local disk with a power-safe cache" if slow else "",
    )


def sync_seconds(folder: Path) -> float:
    """How long a small write takes to the disk there: the median of some."""
    path = folder / f".doctor-{os.getpid()}"
    took = []
    try:
        with path.open("wb", buffering=0) as file:
            for _ in range(SYNC_TIMES):
                begin = time.perf_counter()
                file.write(bytes(SYNC_BYTES))
                os.fdatasync(file.fileno())
                took.append(time.perf_counter() - begin)
    except OSError as error:
        raise Unavailable(
            f"{folder} can't be written: {error.strerror}", reason="STORE_UNAVAILABLE"
        ) from error
    finally:
        path.unlink(missing_ok=True)
    return statistics.median(took)


def _plugins(patient: _Patient) -> Iterator[Finding]:
    lenient = patient.config.model_copy(update={"strict": False})  # what is wrong is told here
    installed = patient.installed = load_plugins(lenient)
    for quarantined in installed.quarantined:
        yield Finding(
            "plugins",
            "failed" if patient.config.strict else "warning",
            f"{quarantined.origin} is not used: {quarantined.reason}",
            "repair or uninstall it",
        )
    names = ", ".join(strategy.name for strategy in installed.strategies) or "none"
    yield Finding("plugins", "ok", f"strategies: {names}")


def _keys(patient: _Patient) -> Iterator[Finding]:
    config = patient.config
    others = patient.installed.key_providers if patient.installed else ()
    provider = choose(config.key_provider, config.keyring_path, others)
    keyring = patient.keyring = load_keyring(config, provider)
    yield Finding("keys", "ok", f"the keyring opens; version {keyring.current} of the key is current")
    created_us = keyring.created_us.get(keyring.current)
    if created_us is not None:
        days = (patient.now_us - created_us) // _DAY_US
        old = days > KEY_AGE_DAYS_MAX
        yield Finding(
            "keys",
            "warning" if old else "ok",
            f"the key-encryption key is {days} days old",
            "renew it: 'segserver keys rotate'" if old else "",
        )


def _certificate(patient: _Patient) -> Iterator[Finding]:
    """How long the certificate holds with which the server listens."""
    config = patient.config
    if config.tls.cert_file is None:
        alone = config.loopback
        yield Finding(
            "certificate",
            "ok" if alone else "warning",
            "none: the server listens " + ("on this machine only" if alone else "in the clear"),
            "" if alone else "keep it behind a proxy that encrypts, or set tls.cert_file and tls.key_file",
        )
        return
    renew = "renew it; the server takes new files by itself, and on SIGHUP"
    try:
        ends = min(
            certificate.not_valid_after_utc
            for certificate in x509.load_pem_x509_certificates(config.tls.cert_file.read_bytes())
        )
    except (OSError, ValueError) as error:
        why = (error.strerror or "can't be read") if isinstance(error, OSError) else "holds no certificate"
        yield Finding("certificate", "failed", f"tls.cert_file: {why}", "point to a PEM file")
        return
    remaining_us = from_datetime(ends) - patient.now_us
    if remaining_us <= 0:
        yield Finding("certificate", "failed", f"it ended on {ends:%Y-%m-%d at %H:%M} UTC", renew)
        return
    days = remaining_us // _DAY_US
    low = days < CERTIFICATE_DAYS_LOW
    says = f"it ends on {ends:%Y-%m-%d}, in {days} days"
    yield Finding("certificate", "warning" if low else "ok", says, renew if low else "")


def _store(patient: _Patient) -> Iterator[Finding]:
    config = patient.config
    if config.store.get_secret_value():
        patient.database = open_database(config)
        yield Finding("store", "ok", "the PostgreSQL store opens")
        return
    if not config.database_path.exists():
        yield Finding("store", "skipped", "there is no database yet: the first start makes it")
        return
    patient.database = File(config.database_path, [])
    connection = patient.connect()
    assert connection is not None  # noqa: S101  it was opened just now
    (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if answer == "ok":
        size = config.database_path.stat().st_size
        yield Finding("store", "ok", f"the database is whole, {size / 1024**2:.1f} MiB")
    else:
        yield Finding(
            "store", "failed", "the database file is damaged", "stop the server and restore the newest backup"
        )


def _matching(patient: _Patient) -> Iterator[Finding]:
    connection = patient.connect()
    if connection is None or patient.keyring is None:
        yield Finding("keys and store", "skipped", "needs both a keyring and a database")
        return
    check_keyring(patient.keyring, Subjects().key_checks(connection))
    yield Finding("keys and store", "ok", "the keyring is the one of this database")


def _clock(patient: _Patient) -> Iterator[Finding]:
    """Whether time goes on where the log ended."""
    connection = patient.connect()
    head = None if connection is None else log.head(connection)
    if connection is None or head is None:
        yield Finding("clock", "skipped", "the log is empty: there is nothing to compare with")
        return
    newest = log.payload(connection, head[0] - 1)
    if newest is None or newest[0] is None:
        yield Finding("clock", "skipped", "the newest entry was pruned")
        return
    behind_us = from_datetime(dt.datetime.fromisoformat(decode(newest[0]).time)) - patient.now_us
    if behind_us > BEHIND_US_MAX:
        yield Finding(
            "clock",
            "failed",
            f"the clock is {behind_us / 1e6:.0f} s behind the newest entry of the log",
            "set it, and keep it with NTP: consents and values expire by it",
        )
    else:
        yield Finding("clock", "ok", "the clock is not behind the log")


def _log(patient: _Patient) -> Iterator[Finding]:
    connection = patient.connect()
    if connection is None or patient.keyring is None:
        yield Finding("log", "skipped", "needs both a keyring and a database")
        return
    key = log_signer(patient.keyring).key
    state = patient.config.data_dir / VERIFIED
    trusted = _remembered(state, key)
    report = verify(connection, [key], trusted=trusted, resume=trusted is not None)
    note = verified_checkpoint(connection, report)
    if note is not None and os.access(state.parent, os.W_OK):
        fresh = state.with_name(state.name + ".new")
        fresh.write_text(note, encoding="utf-8")
        fresh.replace(state)
    yield Finding(
        "log", "ok", f"entries {report.start} to {report.size} verify, signed up to {report.signed}"
    )


def _remembered(state: Path, key: NoteKey) -> Checkpoint | None:
    """How far the log was verified before. Where that can't be read, all is verified anew."""
    try:
        return open_checkpoint(state.read_text(encoding="utf-8"), [key])
    except (OSError, UnicodeDecodeError, IntegrityError):
        return None


def _catalog(patient: _Patient) -> Iterator[Finding]:
    """Whether what would serve compiles: the directory's catalog, and else the stored one."""
    connection = patient.connect()
    row = None if connection is None else catalogs.latest(connection)
    if patient.config.catalog_dir is not None:
        documents, name = read_directory(patient.config.catalog_dir), str(patient.config.catalog_dir)
    elif connection is not None and row is not None:
        stored = catalogs.get(connection, row.version)
        documents, name = (stored[1] if stored else {}), f"version {row.version}"
    else:
        yield Finding(
            "catalog",
            "failed",
            "no catalog is published yet",
            "start the server once with --catalog DIRECTORY",
        )
        return
    catalog = resolve(documents, patient.installed or Installed(), Host())
    yield Finding("catalog", "ok", f"{name} compiles: {len(catalog.segments)} segments")


CHECKS: dict[str, _Check] = {
    "libraries": _libraries,
    "files": _files,
    "disk": _disk,
    "plugins": _plugins,
    "keys": _keys,
    "certificate": _certificate,
    "store": _store,
    "keys and store": _matching,
    "clock": _clock,
    "log": _log,
    "catalog": _catalog,
}

REMEDIES = {
    "SQLITE_VERSION_AFFECTED": "pip install --upgrade pysqlite3",
    "KEYRING_MISSING": "first start: 'segserver keys init'; else restore the keyring's copy",
    "KEYRING_EXPOSED": "chmod 600 it; if somebody could have read it, rotate the keys",
    "KEYRING_DAMAGED": "restore the keyring's copy",
    "KEYRING_WRONG": "point to the keyring of this database",
    "KEY_VERSION_MISSING": "restore the keyring's copy: a key that the database needs is not in it",
    "STORE_UNAVAILABLE": "look at the disk and at who may write there; else restore the newest backup",
    "CATALOG_INVALID": "'segserver catalog validate' says where; the one that serves goes on serving",
    "LOG_ROLLED_BACK": "keep the files as they are, find out who restored or cut the log, tell the officer",
    "LOG_DAMAGED": "stop the server, keep a copy of the files, restore the newest backup",
    **dict.fromkeys(
        (
            "ROOT_MISMATCH",
            "ENTRY_CHANGED",
            "ENTRY_MISSING",
            "ROW_ADDED",
            "PAYLOAD_MISSING",
            "SIGNATURE_INVALID",
        ),
        "keep a copy of the files as they are: somebody changed the log; tell the officer",
    ),
}
"""What to do, by the reason of the error with which a check ends."""
