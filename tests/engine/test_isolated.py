"""Isolated traits in a whole server: the same answers as trusted ones, and what their failures cost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib.metadata import entry_points
from pathlib import Path

import hostile_strategies as hostile
import polars as pl
import pytest
from plugin_folders import distribution, with_code
from servers import NOON, open_engine, running

from segserver.audit.entry import Kind
from segserver.client import ProfileChange
from segserver.engine.slices import SLICE_SUBJECTS
from segserver.strategies.isolation.isolation import Isolation
from segserver.strategies.isolation.supervisor import Rules
from segserver.strategies.manager import Installed, load

CATALOG = """
purposes:
  analytics: {legal_basis: legitimate_interest, categories: [behavioral, demographic]}
  service: {legal_basis: contract, categories: [demographic]}
strategies: {fine: {}, hostile: {}}
attributes:
  age: {type: int, category: demographic}
include: ["fine/*", "hostile/*"]
segments:
  - {id: adult, rule: age >= 18}
  - {id: either, rule: 'age >= 18 || fine.t == "yes"'}
  - {id: unless, rule: '!known(fine.t)'}
"""
NAMES = ("sleeps", "ends", "raises")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plugins")
    distribution(folder, "fine", with_code("fine", "return {'y': 'yes', 'n': 'no'}.get(text)"))
    distribution(folder, "hostile", hostile.source(*NAMES))
    return folder


@contextmanager
def isolated(folder: Path, **rules: float) -> Iterator[Installed]:
    isolation = Isolation(
        trusted=["*"], path=[folder], rules=Rules(**{"call_s_max": 3.0, "start_s_max": 60.0, **rules})
    )
    ours = {"fine", "hostile"}
    installed = load(isolation=isolation)
    try:
        yield Installed(tuple(s for s in installed.strategies if s.name in ours), isolation=isolation)
    finally:
        isolation.close()


@asynccontextmanager
async def serving(tmp_path: Path, installed: Installed) -> AsyncIterator[object]:
    async with running(open_engine(tmp_path, {"catalog.yaml": CATALOG}, installed)) as server:
        client = server.client()
        texts = {"yes": "y", "no": "n", "none": "?", "now": "now"}
        await client.upsert_profiles(
            [ProfileChange(name, {"text": text, "age": 30}) for name, text in texts.items()]
            + [ProfileChange("silent", {"age": 40})]
        )
        yield server


async def answers(server, subject, *segments, purpose="analytics"):
    evaluation = await server.client().evaluate(subject, purpose, segments=segments)
    return {one.segment: (one.outcome.name, one.reason) for one in evaluation.results}


@pytest.fixture
async def server(tmp_path, folder):
    with isolated(folder) as installed:
        async with serving(tmp_path, installed) as server:
            yield server


async def test_isolated_and_trusted_code_give_the_same_answers(server, tmp_path, folder, monkeypatch):
    monkeypatch.syspath_prepend(folder)
    points = entry_points(group="segserver")
    trusted = load([point for point in points if point.name in ("fine", "hostile")])
    assert not any(strategy.isolated for strategy in trusted.strategies)
    async with serving(tmp_path / "trusted", trusted) as other:
        ours, theirs = (one.engine.catalogs.serving.catalog for one in (server, other))
        assert ours.digest == theirs.digest
        for subject in ("yes", "no", "none", "silent"):
            segments = ("adult", "either", "unless", "fine/yes", "hostile/raises")
            assert await answers(server, subject, *segments) == await answers(other, subject, *segments)
            mine = await server.client().explain(subject, "fine/yes", "analytics")
            yours = await other.client().explain(subject, "fine/yes", "analytics")
            assert (mine.result, mine.tree) == (yours.result, yours.tree)


async def test_who_does_not_need_a_hanging_strategy_does_not_wait_for_it(server):
    done = []

    async def ask(subject, segment):
        found = await answers(server, subject, segment)
        done.append(segment)
        return found

    hanging, *others = await asyncio.gather(
        ask("now", "hostile/sleeps"), ask("now", "adult"), ask("yes", "fine/yes"), ask("no", "either")
    )
    assert hanging == {"hostile/sleeps": ("UNKNOWN", "STRATEGY_FAILED")}
    assert others == [{"adult": ("MEMBER", "")}, {"fine/yes": ("MEMBER", "")}, {"either": ("MEMBER", "")}]
    assert done[-1] == "hostile/sleeps"


async def test_a_failure_is_in_the_answer_the_log_and_the_list(server):
    client = server.client()
    await answers(server, "yes", "hostile/ends")
    evaluation = await client.evaluate("now", "analytics", segments=["hostile/ends", "adult"])
    assert evaluation["hostile/ends"].failed_traits == ("hostile.ends",)
    assert evaluation["adult"].outcome.name == "MEMBER"
    entry = server.entries()[-1]
    assert entry.failed == {"STRATEGY_FAILED": ("hostile.ends",)}
    listed = {one.name: one async for one in client.strategies()}
    one = listed["hostile"]
    assert (one.enabled, one.failure_count, one.process_failure_count) == (True, 1, 1)
    assert one.last_failure == "ended with exit code 3"
    assert listed["fine"].process_state == "running"
    assert listed["fine"].last_failure == ""


async def test_a_breaker_that_opens_leaves_an_entry(tmp_path, folder):
    with isolated(folder, failures_max=1, pause_s_max=1.0) as installed:
        async with serving(tmp_path, installed) as server:
            assert (await answers(server, "now", "hostile/ends"))["hostile/ends"][1] == "STRATEGY_FAILED"
            assert (await answers(server, "yes", "hostile/ends"))["hostile/ends"][1] == "STRATEGY_FAILED"
            assert (await answers(server, "yes", "fine/yes"))["fine/yes"] == ("MEMBER", "")
            listed = {one.name: one async for one in server.client().strategies()}
            assert listed["hostile"].process_state in ("open", "half-open")
            (entry,) = [one for one in server.entries() if one.kind is Kind.STRATEGY_QUARANTINED]
            assert entry.details == {
                "plugin": "hostile",
                "why": "its plugin host process ended with exit code 3, too often",
            }


async def test_what_the_purpose_may_not_see_does_not_go_there(server):
    before = {one.distribution: one.inputs for one in server.engine.installed.isolation.stats()}
    found = await server.client().evaluate("yes", "service")
    assert [one.segment for one in found.results] == ["adult"]
    assert await answers(server, "silent", "fine/yes") == {"fine/yes": ("UNKNOWN", "")}
    after = {one.distribution: one.inputs for one in server.engine.installed.isolation.stats()}
    assert after == before


async def test_a_batch_asks_once_for_each_distinct_input_of_a_slice(server):
    client = server.client()
    before = {one.distribution: one for one in server.engine.installed.isolation.stats()}["fine"]
    found = await client.evaluate_batch([*["yes", "no"] * 50], "analytics", segments=["fine/yes"])
    assert [one["fine/yes"].outcome.name for one in found] == ["MEMBER", "NOT_MEMBER"] * 50
    after = {one.distribution: one for one in server.engine.installed.isolation.stats()}["fine"]
    slices = -(-100 // SLICE_SUBJECTS)
    assert (after.calls - before.calls, after.inputs - before.inputs) == (slices, 2 * slices)


async def test_a_table_asks_there_too(server):
    bulk = server.engine.catalogs.serving.catalog.bulk("analytics")
    rows = [{"text": text, "age": None} for text in ("y", "n", "?", None, "y", "now")]
    frame = pl.DataFrame(rows, schema={"text": pl.String, "age": pl.Int64}).with_columns(subject=pl.lit("s"))
    answered = await asyncio.to_thread(bulk.polars, frame, now=NOON)
    assert answered["segments.fine.yes"].to_list() == [True, False, None, None, True, None]
    assert answered["segments.hostile.raises"].to_list() == [True, True, True, None, True, None]
    assert answered["segments.hostile.ends"].to_list()[-1] is None
