"""A log that real writers wrote, with its key."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from stores import postgres_server, postgres_url, store_url

from segserver.audit import entry
from segserver.audit.checkpoints import sign
from segserver.audit.entry import Entry, Kind, Outcomes
from segserver.audit.log import Log
from segserver.audit.note import Signer
from segserver.config import Config
from segserver.engine.store import open_database
from segserver.storage import log as store
from segserver.storage.writer import Writer

__all__ = ["postgres_server", "postgres_url", "store_url"]

START = dt.datetime(2026, 7, 4, 12, tzinfo=dt.UTC)


def numbered(number: int) -> Entry:
    """Entry ``number`` happened at second ``number``; its fields vary with it."""
    kinds = (Kind.EVALUATION, Kind.EVALUATION, Kind.EVALUATION, Kind.PROFILE_WRITTEN)
    return Entry(
        time=entry.timestamp(START + dt.timedelta(seconds=number)),
        kind=kinds[number % len(kinds)],
        caller=("crm", "shop")[number % 2],
        request_id=f"request-{number}",
        purpose=("marketing", "analytics", "")[number % 3],
        subject=f"a1.subject-{number % 7}",
        segments=Outcomes(member=(f"retail/segment-{number % 5}",), not_member=("retail/never",)),
        withheld={"CONSENT_MISSING": ("birth_date",)} if number % 4 == 0 else {},
    )


@pytest.fixture
def make_entry():
    return numbered


@pytest.fixture
def start():
    return START


@pytest.fixture
def signer():
    return Signer("segserver.example/log", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))


@pytest.fixture
def database(tmp_path, store_url):
    return open_database(Config(data_dir=tmp_path, store=store_url))


@pytest.fixture
def writer(database):
    writer = Writer(database, Log().append)
    yield writer
    writer.close()


@pytest.fixture
def connection(database):
    connection = database.connect()
    yield connection
    connection.close()


@pytest.fixture
def write(writer, signer):
    """Appends that many entries and signs a checkpoint."""
    written = 0

    def write(count, *, signed=True):
        nonlocal written
        payloads = [entry.encode(numbered(number)) for number in range(written, written + count)]
        written += count
        writer.write_blocking(entries=payloads)
        return writer.write_blocking(lambda c: sign(c, signer)).result if signed else None

    return write


@pytest.fixture
def grouped(write, connection, signer):
    """A log of 40 entries with checkpoints at 7, 20 and 33, in a row for each of four appends."""
    for count in (7, 13, 13):
        write(count)
    write(7, signed=False)
    return SimpleNamespace(connection=connection, keys=[signer.key], signer=signer)


@pytest.fixture
def filled(grouped):
    """The same log with each entry in a row of its own, as lone appends leave it."""
    for log_index in range(40):
        store.split(grouped.connection, log_index)
    return grouped
