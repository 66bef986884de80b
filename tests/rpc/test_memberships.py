"""Members and their moves over real gRPC."""

from __future__ import annotations

import pytest
from servers import open_engine, running

from segserver.audit.entry import Kind
from segserver.client import Event
from segserver.engine.callers import CallerDesk
from segserver.errors import FailedPrecondition, InvalidInput, NotFound, PermissionDenied, Unauthenticated

CATALOG = """
purposes:
  service: {legal_basis: contract, categories: [behavioral], memberships: true}
  other: {legal_basis: contract, categories: [behavioral]}
events:
  order: {category: behavioral}
computed:
  orders: {event: order, aggregate: count, window: 30d, category: behavioral}
segments:
  - {id: buyers, rule: orders > 0}
"""


@pytest.fixture
async def server(tmp_path):
    engine = open_engine(tmp_path, {"catalog.yaml": CATALOG})
    async with running(engine) as server:
        yield server


async def listed(client, purpose="service"):
    return [member async for member in client.members("buyers", purpose)]


async def test_a_watcher_hears_of_who_enters(server):
    client = server.client()
    stream = client.watch_memberships("service", cursor="0")
    await client.record_events([Event("ada", "order", server.clock.time)])
    done = await client.refresh_memberships()
    ((change,), _) = await anext(stream), await stream.aclose()
    assert (change.segment, change.entered, change.reason) == ("buyers", True, "EVENTS")
    assert done.entered <= 1  # the server refreshes by itself, too
    (member,) = await listed(client)
    assert member.subject_token == change.subject_token
    assert member.subject_token == (await client.evaluate("ada", "service")).subject_token
    kinds = [entry.kind for entry in server.entries()]
    assert {Kind.MEMBERSHIPS_REFRESHED, Kind.MEMBERSHIPS_READ} <= set(kinds)


async def test_what_can_not_be_listed_says_why(server):
    client = server.client()
    with pytest.raises(FailedPrecondition, match="memberships: true"):
        await listed(client, "other")
    with pytest.raises(NotFound):
        await listed(client, "marketing")
    with pytest.raises(InvalidInput, match="begin again without it"):
        await anext(client.watch_memberships("service", cursor="x"))
    with pytest.raises(InvalidInput, match="list the members"):
        await anext(client.watch_memberships("service", cursor="99"))
    with pytest.raises(PermissionDenied):
        await server.caller("reader", ["evaluator"]).refresh_memberships()


async def test_a_watcher_whose_access_ended_hears_nothing_more(server):
    desk = CallerDesk(server.engine.store.writer, server.clock)
    watching = server.client(desk.add("mailer", ["evaluator"], ["service"]))
    stream = watching.watch_memberships("service", cursor="0")
    for subject in ("ada", "eve"):
        await server.client().record_events([Event(subject, "order", server.clock.time)])
        await server.client().refresh_memberships()
        if subject == "ada":
            await anext(stream)
            desk.revoke("mailer")
            server.server.guard._known.clear()  # as a second later
    with pytest.raises(Unauthenticated):
        await anext(stream)


async def test_a_watcher_whose_purposes_changed_is_to_call_again(server):
    desk = CallerDesk(server.engine.store.writer, server.clock)
    watching = server.client(desk.add("mailer", ["evaluator"], ["service"]))
    stream = watching.watch_memberships("service", cursor="0")
    await server.engine.store.writer.write(
        lambda connection: connection.execute("UPDATE callers SET purposes = 'other' WHERE name = 'mailer'")
    )
    server.server.guard._known.clear()  # as a second later
    await server.client().record_events([Event("ada", "order", server.clock.time)])
    await server.client().refresh_memberships()
    with pytest.raises(PermissionDenied):
        await anext(stream)
