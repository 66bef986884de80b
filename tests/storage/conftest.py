"""Each store in turn, empty."""

from __future__ import annotations

from pathlib import Path

import pytest
from stores import postgres_server, postgres_url, store_url

from segserver.config import Config
from segserver.engine.store import open_database
from segserver.storage.contract import Database

__all__ = ["postgres_server", "postgres_url", "store_url"]


@pytest.fixture
def config(tmp_path: Path, store_url: str) -> Config:
    return Config(data_dir=tmp_path, store=store_url)


@pytest.fixture
def database(config: Config) -> Database:
    return open_database(config)


@pytest.fixture
def connection(database: Database):
    connection = database.connect()
    yield connection
    connection.close()
