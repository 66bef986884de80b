"""Catalogs between processes: what one publishes serves in the others; what can't serve is refused."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from servers import entries, open_engine, plugins, write_catalog

from segserver.audit.entry import Kind
from segserver.engine import build
from segserver.engine.condition import Condition
from segserver.errors import CatalogError, FailedPrecondition
from segserver.model import Caller, Role
from segserver.strategies import hookimpl
from segserver.strategies.api import Attribute, Segment, Strategy

CATALOG = """
purposes:
  care: {legal_basis: contract, categories: [demographic]}
attributes:
  age: {type: int, category: demographic}
segments:
  - {id: people/adults, rule: age >= 18}
"""
OLDER = {"catalog.yaml": CATALOG.replace("18", "21")}
ADMIN = Caller("ana", frozenset({Role.ADMIN}), frozenset({"*"}))


class Loyalty:
    @hookimpl
    def segserver_strategies(self):
        yield Strategy(
            name="loyalty",
            version="1.0.0",
            title="Loyalty",
            attributes=[Attribute("points", "int", "demographic")],
            segments=[Segment("loyalty/gold", rule="points > 9", purposes=["care"])],
        )


@pytest.fixture
def engine(tmp_path):
    engine = open_engine(tmp_path, {"catalog.yaml": CATALOG})
    yield engine
    engine.close()


@pytest.fixture
def other(engine):
    """Another process on the same store, as far as the catalog goes."""
    other = build(engine.config, installed=plugins(), now_us=engine.now_us, publish=False)
    yield other
    other.close()


def published(engine):
    return [entry for entry in entries(engine) if entry.kind is Kind.CATALOG_PUBLISHED]


async def test_what_another_process_publishes_serves_at_the_next_look(engine, other):
    row = await engine.catalogs.publish(ADMIN, OLDER)
    assert other.catalogs.serving.row.version == 1
    condition = Condition(other)
    assert await condition.look() == []
    assert other.catalogs.serving.row == row
    assert condition.snapshot(2, 0).catalog_digest == row.digest
    serving = other.catalogs.serving
    await condition.look()
    assert other.catalogs.serving is serving


async def test_a_catalog_that_can_not_serve_here_is_refused_once_and_the_old_one_serves(engine, tmp_path):
    row = await engine.catalogs.publish(ADMIN, OLDER)
    with_more = plugins(Loyalty())
    other = build(engine.config, installed=with_more, now_us=engine.now_us, publish=False)
    try:
        text = f"{CATALOG}strategies: {{loyalty: {{}}}}\ninclude: [loyalty/gold]\n"
        published = await other.catalogs.publish(ADMIN, {"catalog.yaml": text})
        condition = Condition(engine)
        (trouble,) = await condition.look()
        assert (trouble.component, trouble.reason) == ("catalog", "CATALOG_INVALID")
        assert "loyalty" in trouble.message
        assert engine.catalogs.serving.row == row
        assert list(await condition.look()) == [trouble]
        assert published.version == 3
        await other.catalogs.publish(ADMIN, OLDER)
        assert await condition.look() == []
    finally:
        other.close()


async def test_a_reload_publishes_the_folder_once_however_many_processes_do_it(engine, other, tmp_path):
    folder = write_catalog(tmp_path / "catalog", OLDER)
    await asyncio.gather(engine.catalogs.reload(folder), other.catalogs.reload(folder))
    assert engine.catalogs.serving.row == other.catalogs.serving.row
    assert engine.catalogs.serving.row.version == 2
    assert [entry.caller for entry in published(engine)] == ["startup", "reload"]
    await engine.catalogs.reload(folder)
    assert len(published(engine)) == 2


@pytest.mark.parametrize(
    ("name", "text"),
    [("catalog.yaml", "segments: [{id: people/adults, rule: agee > 1}]"), ("catalog.yaml", "a: [")],
)
async def test_a_reload_of_a_bad_folder_leaves_the_old_one_and_says_so(engine, tmp_path, name, text):
    folder = write_catalog(tmp_path / "catalog", {name: text})
    before = engine.catalogs.serving
    await engine.catalogs.reload(folder)
    assert engine.catalogs.serving is before
    (trouble,) = await Condition(engine).look()
    assert (trouble.component, trouble.reason) == ("catalog", "CATALOG_INVALID")
    await engine.catalogs.reload(write_catalog(folder, {"catalog.yaml": CATALOG}))
    assert await Condition(engine).look() == []
    assert engine.catalogs.serving.row.version == 1


async def test_a_reload_without_its_folder_leaves_the_old_one(engine):
    await engine.catalogs.reload(Path("nowhere"))
    assert engine.catalogs.serving.row.version == 1
    assert engine.catalogs.trouble is not None


@pytest.mark.parametrize("text", ["# nothing yet\n", "", "segments: []\n", "{}\n"])
async def test_a_catalog_that_declares_nothing_is_refused(engine, tmp_path, text):
    with pytest.raises(CatalogError, match="no purpose is declared"):
        await engine.catalogs.publish(ADMIN, {"catalog.yaml": text})
    assert engine.catalogs.serving.row.version == 1
    with pytest.raises(CatalogError, match="no purpose is declared"):
        open_engine(tmp_path / "fresh", {"catalog.yaml": text})


def test_processes_that_start_at_once_publish_one_version(engine, other):
    documents = {"catalog.yaml": CATALOG.replace("18", "30")}
    engine.catalogs.open(documents)
    other.catalogs.open(documents)
    assert other.catalogs.serving.row.version == 2


def test_without_a_catalog_there_is_no_start(tmp_path):
    with pytest.raises(FailedPrecondition, match="no catalog is published yet"):
        open_engine(tmp_path)


async def test_a_defect_while_a_catalog_is_compiled_is_no_trouble_of_the_store(engine, other, monkeypatch):
    await engine.catalogs.publish(ADMIN, OLDER)

    def fail(_):
        raise RuntimeError("a defect")

    monkeypatch.setattr(other.catalogs, "resolve", fail)
    (trouble,) = await Condition(other).look()
    assert (trouble.component, trouble.reason, trouble.message) == ("catalog", "INTERNAL", "RuntimeError")
