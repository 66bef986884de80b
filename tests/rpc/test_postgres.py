"""Servers on one PostgreSQL database: what one is told, the others know; what callers see of a lost one."""

from __future__ import annotations

import asyncio
import datetime as dt
from contextlib import AsyncExitStack

import pytest
from servers import Clock, entries, open_engine, plugins, running
from stores import postgres_server, postgres_url, terminate

from segserver.audit.verify import verify
from segserver.client import AsyncClient
from segserver.engine import build
from segserver.engine.condition import Condition
from segserver.errors import Unavailable
from segserver.model import Caller, Outcome, Role

__all__ = ["postgres_server", "postgres_url"]

ADMIN = Caller("ana", frozenset({Role.ADMIN}), frozenset({"*"}))
SECOND = dt.timedelta(seconds=1)
CATALOG = {
    "catalog.yaml": """
purposes:
  marketing: {legal_basis: consent, categories: [demographic]}
attributes:
  income: {type: int, category: demographic}
segments:
  - {id: people/wealthy, rule: income > 1000}
"""
}


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def replicas(tmp_path, postgres_url, clock):
    """Two servers with one keyring on one database, and a client of each."""
    first = open_engine(tmp_path, CATALOG, clock=clock, store=postgres_url)
    second = build(first.config, installed=plugins(), now_us=clock, publish=False)
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(running(first))
        two = await stack.enter_async_context(running(second))
        yield one, two, one.client(retries=0), two.client(retries=0)


async def outcome(client: AsyncClient) -> Outcome:
    (result,) = (await client.evaluate("jo", "marketing")).results
    return result.outcome


async def answered(client: AsyncClient) -> Outcome:
    """The outcome, once every connection that broke has been tried and made anew."""
    for _ in range(20):
        try:
            return await outcome(client)
        except Unavailable:
            continue
    return await outcome(client)


async def test_a_withdrawal_holds_on_every_server_once_it_has_returned(replicas, clock):
    _, _, one, two = replicas
    await one.upsert_profile("jo", {"income": 2000})
    for giving, asking in ((one, two), (two, one)) * 5:
        clock.time += SECOND
        await giving.record_consent("jo", "marketing", notice_version="1", method="web")
        assert await outcome(asking) is Outcome.MEMBER
        clock.time += SECOND
        await giving.withdraw_consent("jo", "marketing")
        assert await outcome(asking) is Outcome.WITHHELD


async def test_what_one_server_publishes_the_other_serves_at_its_next_look(replicas):
    first, second, _, _ = replicas
    stricter = {"catalog.yaml": CATALOG["catalog.yaml"].replace("1000", "5000")}
    published = await first.engine.catalogs.publish(ADMIN, stricter)
    await Condition(second.engine).look()
    assert second.engine.catalogs.serving.row == published


async def test_servers_that_write_at_once_lose_no_write_and_share_one_log(replicas):
    first, _, one, two = replicas

    async def write(client, name, rounds=15):
        for number in range(rounds):
            await client.upsert_profile("jo", {"income": number})
            await client.evaluate("jo", "marketing")
        return name

    await asyncio.gather(*(write(client, n) for client in (one, two) for n in range(3)))
    assert (await one.get_profile("jo")).revision == 90
    kinds = [entry.kind for entry in entries(first.engine)]
    assert kinds.count("profile_written") == kinds.count("evaluation") == 90


async def test_callers_are_told_of_a_lost_database_and_nothing_is_lost(replicas, postgres_url):
    first, _, one, two = replicas
    await one.upsert_profile("jo", {"income": 1})
    done, acknowledged, refused = asyncio.Event(), [], []

    async def ask(client):
        while not done.is_set():
            try:
                acknowledged.append((await client.evaluate("jo", "marketing")).evaluation_id)
            except Unavailable as error:
                refused.append(error.reason)

    tasks = [asyncio.create_task(ask(client)) for client in (one, two) for _ in range(4)]
    for _ in range(4):
        await asyncio.sleep(0.1)
        await asyncio.to_thread(terminate, postgres_url)
    done.set()
    await asyncio.gather(*tasks)
    for client in (one, two):
        assert await answered(client) is Outcome.WITHHELD
    assert set(refused) <= {"STORE_UNAVAILABLE"}
    logged = {entry.request_id for entry in entries(first.engine)}
    assert acknowledged
    assert set(acknowledged) <= logged
    connection = first.engine.store.connect()
    assert verify(connection, [first.engine.audit.key]).size >= len(acknowledged)
    connection.close()
