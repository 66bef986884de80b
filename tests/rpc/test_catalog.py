"""CatalogService over real gRPC: what serves, what would change, and how another comes to serve."""

from __future__ import annotations

import asyncio
import json

import pytest
from servers import Clock, open_engine, plugins, running

from segserver.audit.entry import Kind
from segserver.client import Document, ProfileChange
from segserver.errors import (
    CatalogError,
    Conflict,
    FailedPrecondition,
    InvalidInput,
    NotFound,
    PermissionDenied,
)
from segserver.strategies import hookimpl
from segserver.strategies.api import Attribute, Segment, Strategy, Trait

BASE = """
purposes:
  analytics: {legal_basis: legitimate_interest, profiling: false, categories: [demographic, behavioral]}
  marketing: {legal_basis: consent, categories: [demographic]}
attributes:
  age: {type: int, category: demographic}
  orders: {type: int, category: behavioral}
"""
FIRST = f"""{BASE}
segments:
  - {{id: people/adults, rule: age >= 18, tags: [core]}}
  - {{id: people/buyers, rule: orders > 0}}
"""
SECOND = f"""{BASE}
segments:
  - {{id: people/adults, rule: age >= 21, tags: [core]}}
  - {{id: people/new, rule: orders == 1}}
"""


class Loyalty:
    @hookimpl
    def segserver_strategies(self):
        yield Strategy(
            name="loyalty",
            version="2.1.0",
            title="Loyalty",
            attributes=[Attribute("points", "int", "behavioral")],
            traits=[Trait("level", "string", reads=["points"], function=level, values=["gold", "none"])],
            segments=[Segment("loyalty/gold", rule='loyalty.level == "gold"')],
        )


def level(points):
    if points < 0:
        raise ValueError("secret")
    return "gold" if points > 100 else "none"


class Broken:
    @hookimpl
    def segserver_strategies(self):
        raise RuntimeError("no database")


@pytest.fixture
async def server(tmp_path):
    async with running(open_engine(tmp_path, {"catalog.yaml": FIRST})) as server:
        yield server


def documents(text):
    return [Document("catalog.yaml", text)]


async def test_a_strategy_that_is_not_used_is_shown_with_what_it_would_bring(tmp_path):
    installed = plugins(Loyalty())
    async with running(open_engine(tmp_path, {"catalog.yaml": FIRST}, installed=installed)) as server:
        (shown,) = await collected(server.client().strategies())
    assert not shown.enabled
    assert [(trait.name, trait.reads) for trait in shown.traits] == [("loyalty.level", ("points",))]
    assert shown.segments == ("loyalty/gold",)


async def collected(items):
    return [item async for item in items]


async def test_what_serves_can_be_looked_up(server):
    client = server.client()
    segments = await collected(client.segments())
    assert [segment.id for segment in segments] == ["people/adults", "people/buyers"]
    assert segments[0].reads == ("age",)
    assert segments[0].variable == "segments.people.adults"
    assert (await client.segment("people/buyers")).rule == "orders > 0"
    assert [a.name for a in await collected(client.attributes())] == ["age", "orders"]
    assert [p.name for p in await collected(client.purposes())] == ["analytics", "marketing"]
    with pytest.raises(NotFound, match="people/buyers"):
        await client.segment("people/buyer")


async def test_lists_page(tmp_path):
    rules = "".join(f"  - {{id: many/s{number:03}, rule: age > {number}}}\n" for number in range(250))
    async with running(open_engine(tmp_path, {"catalog.yaml": BASE + "segments:\n" + rules})) as server:
        ids = [segment.id for segment in await collected(server.client().segments())]
    assert ids == [f"many/s{number:03}" for number in range(250)]


async def test_publishing_serves_the_new_one_and_keeps_the_old(server):
    client = server.client()
    old = server.engine.catalogs.serving.catalog.digest
    version = await client.publish_catalog(documents(SECOND), note="adults are 21", expected_digest=old)
    assert version.version == 2
    assert [segment.id for segment in await collected(client.segments())] == ["people/adults", "people/new"]
    assert [v.version for v in await collected(client.catalog_versions())] == [2, 1]
    published = await client.catalog(1)
    assert published.version.digest == old
    entry = next(e for e in reversed(server.entries()) if e.kind is Kind.CATALOG_PUBLISHED)
    assert (entry.caller, entry.catalog) == ("dev", version.digest)
    with pytest.raises(Conflict, match="publish"):
        await client.publish_catalog(documents(FIRST), expected_digest=old)


async def test_only_checking_publishes_nothing_and_still_asks_for_the_role(server):
    version = await server.client().publish_catalog(documents(SECOND), validate_only=True)
    assert version.digest != server.engine.catalogs.serving.catalog.digest
    assert len(await collected(server.client().catalog_versions())) == 1
    with pytest.raises(PermissionDenied):
        await server.caller("shop", ["evaluator"]).publish_catalog(documents(SECOND), validate_only=True)


async def test_a_bad_catalog_is_refused_with_every_problem_and_the_old_one_serves(server):
    bad = (
        BASE
        + "segments:\n  - {id: a, rule: agee > 1}\n  - {id: b, rule: age > 'x'}\n  - {id: a, rule: age > 1}\n"
    )
    client = server.client()
    with pytest.raises(InvalidInput) as caught:
        await client.publish_catalog(documents(bad))
    text = str(caught.value)
    assert "did you mean age" in text
    assert "no matching overload" in text
    assert len(caught.value.violations) >= 3
    assert [segment.id for segment in await collected(client.segments())] == [
        "people/adults",
        "people/buyers",
    ]


async def test_a_value_of_a_type_that_the_catalog_has_given_up_counts_as_missing(server):
    client = server.client()
    await client.upsert_profile("alice", {"age": 44, "orders": 3})
    retyped = FIRST.replace("orders: {type: int", "orders: {type: string")
    retyped = retyped.replace("orders > 0", 'orders != "none"')
    await client.publish_catalog(documents(retyped))
    answer = await client.evaluate("alice", "analytics")
    assert answer["people/adults"].outcome.name == "MEMBER"
    assert answer["people/buyers"].outcome.name == "UNKNOWN"
    assert answer["people/buyers"].missing == ("orders",)
    await client.upsert_profile("alice", {"orders": "many"})
    assert (await client.evaluate("alice", "analytics"))["people/buyers"].outcome.name == "MEMBER"


async def test_evaluations_go_on_while_catalogs_change(server):
    client = server.client()
    await client.upsert_profile("alice", {"age": 19, "orders": 1})
    digests = {}

    async def evaluate():
        for _ in range(40):
            answer = await client.evaluate("alice", "analytics")
            shape = tuple((result.segment, result.outcome.name) for result in answer.results)
            digests.setdefault(answer.catalog_digest, set()).add(shape)

    async def publish():
        for document in (SECOND, FIRST) * 4:
            await client.publish_catalog(documents(document))

    await asyncio.gather(evaluate(), publish())
    assert len(digests) == 2
    assert all(len(shapes) == 1 for shapes in digests.values())


async def test_a_rule_can_be_tried(server):
    client = server.client()
    good = await client.validate_rule("segments.people.adults && orders > 2")
    assert (good.problems, good.type) == ((), "bool")
    assert good.reads == ("age", "orders")
    assert set(good.references) == {"segments.people.adults", "orders"}
    assert good.purposes == ("analytics",)
    bad = await client.validate_rule("age >\n  'x'")
    assert "no matching overload" in bad.problems[0].message
    assert (bad.problems[0].line, bad.problems[0].column) == (1, 5)


async def test_a_difference_counts_who_would_enter_and_leave(server):
    client = server.client()
    ages = [17] * 150 + [19] * 230 + [40] * 320
    for start in range(0, len(ages), 500):
        part = ages[start : start + 500]
        await client.upsert_profiles(
            [ProfileChange(f"c{start + n}", {"age": age, "orders": 1}) for n, age in enumerate(part)]
        )
    difference = await client.diff_catalog(documents(SECOND), purpose="analytics")
    changes = {change.segment: change for change in difference.segments}
    adults = changes["people/adults"]
    assert (adults.entering, adults.leaving) == (None, 230)
    assert (adults.members_before, adults.members_after) == (550, 320)
    assert changes["people/new"].entering == 700
    assert changes["people/buyers"].leaving == 700
    assert difference.population == 700
    assert server.entries()[-1].subjects == 700


async def test_whoever_compares_does_not_decide_what_may_be_seen(server):
    """Relabelling in a catalog that is not published opens nothing."""
    client = server.client()
    await client.upsert_profiles([ProfileChange(f"c{n}", {"age": 30, "orders": 1}) for n in range(300)])
    opened = SECOND.replace(
        "{legal_basis: consent, categories: [demographic]}",
        "{legal_basis: contract, categories: [demographic, behavioral]}",
    )
    difference = await client.diff_catalog(documents(opened), purpose="marketing")
    assert opened != SECOND
    assert {change.members_after for change in difference.segments} == {None}
    assert server.entries()[-1].details["compared"] == difference.digest


async def test_a_small_audience_is_not_told(server):
    client = server.client()
    await client.upsert_profiles([ProfileChange(f"c{n}", {"age": 19, "orders": 1}) for n in range(99)])
    difference = await client.diff_catalog(documents(SECOND), purpose="analytics")
    for change in difference.segments:
        assert (change.entering, change.leaving, change.members_before, change.members_after) == (None,) * 4


async def test_strategies_are_listed_with_their_failures_and_the_broken_with_their_reason(tmp_path):
    document = BASE + "strategies:\n  loyalty: {}\ninclude: [loyalty/*]\nsegments: []\n"
    engine = open_engine(tmp_path, {"catalog.yaml": document}, plugins(Loyalty(), Broken()))
    async with running(engine) as server:
        client = server.client()
        await client.upsert_profile("alice", {"points": -1})
        (result,) = (await client.evaluate("alice", "analytics")).results
        assert (result.outcome.name, result.reason) == ("UNKNOWN", "STRATEGY_FAILED")
        assert result.failed_traits == ("loyalty.level",)
        listed = {strategy.name: strategy for strategy in await collected(client.strategies())}
        loyalty = listed.pop("loyalty")
        assert (loyalty.version, loyalty.enabled, loyalty.failure_count) == ("2.1.0", True, 1)
        (broken,) = listed.values()
        assert "RuntimeError" in broken.quarantine_reason
        await client.upsert_profile("bob", {"points": 500})
        assert (await client.evaluate("bob", "analytics"))["loyalty/gold"].outcome.name == "MEMBER"


async def test_a_restart_serves_what_served(tmp_path):
    clock = Clock()
    async with running(open_engine(tmp_path, {"catalog.yaml": FIRST}, clock=clock)) as server:
        await server.client().publish_catalog(documents(SECOND))
        digest = server.engine.catalogs.serving.catalog.digest
    engine = open_engine(tmp_path, clock=clock)
    assert engine.catalogs.serving.catalog.digest == digest
    assert engine.catalogs.serving.row.version == 2
    engine.close()


def test_a_first_start_needs_a_catalog(tmp_path):
    with pytest.raises(FailedPrecondition, match="--catalog"):
        open_engine(tmp_path)


def test_a_bad_catalog_stops_the_start_with_its_problems(tmp_path):
    with pytest.raises(CatalogError, match=r"catalog.yaml:\d+"):
        open_engine(tmp_path, {"catalog.yaml": BASE + "segments:\n  - {id: a, rule: nope}\n"})


def test_a_strict_start_refuses_a_quarantined_plugin(tmp_path):
    from segserver.strategies.manager import load

    with pytest.raises(FailedPrecondition, match="RuntimeError"):
        load(entry_points=[], extra=[Broken()], strict=True)


async def test_of_two_processes_one_publishes_over_what_it_has_seen(server, tmp_path):
    old = server.engine.catalogs.serving.catalog.digest
    async with running(open_engine(tmp_path)) as other:
        await other.client().publish_catalog(documents(SECOND), expected_digest=old)
        with pytest.raises(Conflict) as refused:
            await server.client().publish_catalog(documents(FIRST + "# mine\n"), expected_digest=old)
    assert refused.value.reason == "CATALOG_CHANGED"
    assert len(await server.engine.catalogs.versions(2**63 - 1, 10)) == 2


async def test_programs_are_made_before_a_catalog_serves(server, monkeypatch):
    await server.client().publish_catalog(documents(SECOND))

    def refuse(*_):
        raise AssertionError("compiled while a customer waits")

    monkeypatch.setattr("segserver.catalog.catalog.compile_python", refuse)
    for purpose in ("analytics", "marketing"):
        assert (await server.client().evaluate("alice", purpose)).results


EVENTS = f"""{BASE}
events:
  order:
    category: behavioral
    title: Bought
    properties:
      amount: {{type: double, category: demographic}}
      channel: {{type: string, category: behavioral, values: [web, store]}}
computed:
  spent_month:
    {{event: order, aggregate: sum, of: amount, window: 30d, where: event.channel == "web",
      category: behavioral, title: Spent lately}}
"""


async def test_events_and_what_is_computed_of_them_can_be_looked_up(tmp_path):
    async with running(open_engine(tmp_path, {"catalog.yaml": EVENTS})) as server:
        client = server.client()
        (order,) = await collected(client.event_definitions())
        (spent,) = await collected(client.computed_attributes())
    assert (order.name, order.category, order.owners) == ("order", "behavioral", ("catalog",))
    assert [(each.name, each.type, each.values) for each in order.properties] == [
        ("amount", "double", ()),
        ("channel", "string", ("web", "store")),
    ]
    assert (spent.name, spent.type, spent.title) == ("spent_month", "double", "Spent lately")
    assert spent.categories == ("behavioral", "demographic")
    assert json.loads(spent.definition_json) == {
        "event": "order",
        "aggregate": "sum",
        "window": "30d",
        "of": "amount",
        "where": 'event.channel == "web"',
    }
