"""A whole server for a test: real store, real keys, real gRPC on a free port, and a clock that the test
sets.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from segserver.audit.entry import Entry, decode
from segserver.client import AsyncClient
from segserver.config import Config
from segserver.engine import Engine, build
from segserver.engine.callers import CallerDesk
from segserver.rpc.server import Server
from segserver.rules.times import from_datetime
from segserver.storage import log
from segserver.strategies.manager import Installed, load

NOON = dt.datetime(2026, 6, 15, 12, tzinfo=dt.UTC)


@dataclass
class Clock:
    """A clock that stands still until it is set."""

    time: dt.datetime = NOON

    def __call__(self) -> int:
        return from_datetime(self.time)


def write_catalog(folder: Path, documents: Mapping[str, str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in documents.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def plugins(*extra: object) -> Installed:
    """Only the plugins that a test brings, whatever is installed."""
    return load(entry_points=[], extra=extra)


def open_engine(
    folder: Path,
    documents: Mapping[str, str] | None = None,
    installed: Installed | None = None,
    clock: Clock | None = None,
    **settings: object,
) -> Engine:
    catalog_dir = None if documents is None else write_catalog(folder / "catalog", documents)
    settings.setdefault("store", store_of(folder))
    config = Config(
        data_dir=folder / "data", catalog_dir=catalog_dir, dev=True, listen="127.0.0.1:0", **settings
    )
    return build(config, installed=installed or plugins(), now_us=clock or Clock())


def store_of(folder: Path) -> str:
    """Where the tests of servers keep their data: in ``folder``, or where ``SEGSERVER_TEST_POSTGRES`` names a
    PostgreSQL server (by the URL of an administrator), in a database of this folder's own.
    """
    administrator = os.environ.get("SEGSERVER_TEST_POSTGRES", "")
    if not administrator:
        return ""
    import psycopg

    name = f"test_{hashlib.sha256(str(folder).encode()).hexdigest()[:24]}"
    with psycopg.connect(administrator, autocommit=True) as connection, suppress(psycopg.Error):
        connection.execute(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")
    return urlsplit(administrator)._replace(path=f"/{name}").geturl()


@dataclass
class Running:
    """A server that runs, and how to reach it."""

    engine: Engine
    server: Server
    address: str
    clock: Clock
    clients: list[AsyncClient] = field(default_factory=list)

    @property
    def dev_key(self) -> str:
        return self.engine.config.dev_key_path.read_text()

    def client(self, key: str | None = None, **options: object) -> AsyncClient:
        client = AsyncClient(self.address, api_key=self.dev_key if key is None else key, **options)
        self.clients.append(client)
        return client

    def caller(self, name: str, roles: Sequence[str], purposes: Sequence[str] = ("*",)) -> AsyncClient:
        return self.client(CallerDesk(self.engine.store.writer, self.clock).add(name, roles, purposes))

    def entries(self) -> list[Entry]:
        return entries(self.engine)


def entries(engine: Engine) -> list[Entry]:
    """Everything in the audit log, in order."""
    reader = engine.store.reader
    size, _ = log.head(reader) or (0, b"")
    return [decode(row[2]) for rows in log.scan(reader, 0, size) for row in rows]


@asynccontextmanager
async def running(engine: Engine, clock: Clock | None = None) -> AsyncIterator[Running]:
    """Serves an engine on a free port for as long as the block lasts; closes the engine after it."""
    server = Server(engine)
    address = await server.start()
    server_of_test = Running(engine, server, address, clock or Clock())
    try:
        yield server_of_test
    finally:
        for client in server_of_test.clients:
            await client.close()
        await server.stop()
        engine.close()
