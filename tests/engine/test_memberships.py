"""Memberships: kept as subjects are, ended with consent, followed by cursor."""

from __future__ import annotations

import asyncio
import datetime as dt
from dataclasses import dataclass

import pytest
from servers import Clock, open_engine

from segserver.engine.corridor import Question
from segserver.engine.events import Occurrence
from segserver.engine.profiles import Change
from segserver.errors import FailedPrecondition, IntegrityError, InvalidInput
from segserver.model import Caller, Role, SubjectId
from segserver.privacy.records import Record, RecordKind
from segserver.rules.times import from_datetime

SHOP = Caller("shop", frozenset(Role), frozenset({"*"}))
MAILER = Caller("mailer", frozenset(Role), frozenset({"*"}))

CATALOG = {
    "catalog.yaml": """
purposes:
  mail: {legal_basis: consent, categories: [behavioral, demographic], memberships: true, profiling: false}
  letters: {legal_basis: contract, categories: [demographic], memberships: true}
  service: {legal_basis: contract, categories: [behavioral, demographic]}
attributes:
  birth_date: {type: timestamp, category: demographic}
  vip: {type: bool, category: behavioral}
  visits: {type: int, category: behavioral}
events:
  order: {category: behavioral}
computed:
  orders_30d: {event: order, aggregate: count, window: 30d, category: behavioral}
  days_since_order: {event: order, aggregate: time_since_last, window: all, category: behavioral}
segments:
  - {id: active, rule: orders_30d >= 1}
  - {id: quiet, rule: days_since_order > 60.0}
  - {id: vips, rule: vip}
  - {id: grown-up, rule: now.getFullYear() - birth_date.getFullYear() >= 30}
"""
}


@dataclass
class House:
    """An engine with a clock, driven from a test that has no event loop."""

    engine: object
    clock: Clock

    def run(self, awaitable):
        return asyncio.run(awaitable)

    def set(self, name: str, **attributes: object) -> None:
        self.run(self.engine.profiles.upsert(SHOP, [Change(who(name), attributes)]))

    def consent(self, name: str, days: int | None = None) -> None:
        self.set(name, visits=1)
        expires = None if days is None else from_datetime(self.clock.time + dt.timedelta(days=days))
        self._decide(name, RecordKind.GRANTED, expires)

    def withdraw(self, name: str) -> None:
        self._decide(name, RecordKind.WITHDRAWN, None)

    def _decide(self, name: str, kind: RecordKind, expires: int | None) -> None:
        def make(now_us: int) -> Record:
            return Record(
                kind=kind,
                purpose="mail",
                at_us=now_us,
                recorded_us=now_us,
                expires_us=expires,
                notice_version="1",
                method="form",
                actor="shop",
            )

        self.run(self.engine.consents.record(SHOP, who(name), make))

    def order(self, name: str) -> None:
        self.run(self.engine.events.record(SHOP, [Occurrence(who(name), "order", self.clock(), {})]))

    def refresh(self):
        return self.run(self.engine.refresher.refresh())

    def later(self, **span: float) -> None:
        self.clock.time += dt.timedelta(**span)

    def members(self, segment: str, caller: Caller = SHOP) -> set[str]:
        found, _ = self.run(self.engine.watcher.members(caller, "mail", segment, 0, 100))
        return {member.token for member in found}

    def token(self, name: str, caller: Caller = SHOP) -> str:
        answer = self.run(self.engine.evaluator.evaluate(caller, Question(who(name), "service")))
        return answer.subject_token

    def moves(self, cursor: int = 0, caller: Caller = SHOP, segments: tuple[str, ...] = ()):
        async def first():
            stream = self.engine.watcher.watch(caller, "mail", segments, cursor)
            try:
                return await asyncio.wait_for(anext(stream), 5)
            finally:
                await stream.aclose()

        return self.run(first())


def who(name: str) -> SubjectId:
    return SubjectId("customer", name)


@pytest.fixture
def house(tmp_path):
    clock = Clock()
    engine = open_engine(tmp_path, CATALOG, clock=clock)
    house = House(engine, clock)
    house.refresh()
    yield house
    engine.close()


def told(moves):
    return [(move.segment, "in" if move.entered else "out", move.reason) for move in moves]


def test_events_let_a_subject_enter_and_time_lets_it_leave(house):
    house.consent("ada")
    house.order("ada")
    assert house.refresh().entered == 1
    assert house.members("active") == {house.token("ada")}
    house.later(days=29, hours=23)
    assert house.refresh().left == 0
    house.later(hours=1)
    assert house.refresh().left == 1
    assert house.members("active") == set()
    assert told(house.moves()) == [("active", "in", "EVENTS"), ("active", "out", "TIME")]


def test_a_time_since_is_looked_at_when_it_crosses_the_threshold(house):
    house.consent("ada")
    house.order("ada")
    house.refresh()
    house.later(days=30)
    house.refresh()
    house.later(days=29, hours=23, minutes=59)
    house.refresh()
    assert house.members("quiet") == set()
    house.later(minutes=2)
    house.refresh()
    assert house.members("quiet") == {house.token("ada")}


def test_a_rule_on_now_is_looked_at_when_it_changes(house):
    house.consent("ada")
    house.set("ada", birth_date=dt.datetime(1997, 5, 1, tzinfo=dt.UTC))
    house.refresh()
    house.clock.time = dt.datetime(2026, 12, 31, 23, 59, tzinfo=dt.UTC)
    house.refresh()
    assert house.members("grown-up") == set()
    house.clock.time = dt.datetime(2027, 1, 1, 0, 1, tzinfo=dt.UTC)
    house.refresh()
    assert house.members("grown-up") == {house.token("ada")}


def test_without_consent_nothing_is_kept(house):
    house.set("ada", vip=True)
    house.order("ada")
    assert house.refresh().entered == 0
    assert house.members("vips") == set()


def test_a_withdrawal_ends_memberships_before_it_returns(house):
    house.consent("ada")
    house.set("ada", vip=True)
    house.refresh()
    assert house.members("vips")
    house.withdraw("ada")
    assert house.members("vips") == set()
    assert told(house.moves())[-1] == ("vips", "out", "CONSENT_WITHDRAWN")


def test_an_expiring_consent_ends_memberships_when_it_expires(house):
    house.consent("ada", days=10)
    house.set("ada", vip=True)
    house.refresh()
    house.later(days=10)
    assert house.members("vips") == set()  # looked at again when it is read
    house.refresh()
    assert told(house.moves())[-1] == ("vips", "out", "CONSENT_EXPIRED")


def test_a_changed_catalog_looks_at_everybody(house, monkeypatch):
    monkeypatch.setattr("segserver.storage.memberships.MARKED_ROWS", 2)
    for name in ("ada", "bob", "eve"):
        house.consent(name)
        house.set(name, vip=True)
    house.refresh()
    text = CATALOG["catalog.yaml"].replace("rule: vip}", "rule: '!vip'}")
    house.run(house.engine.catalogs.publish(SHOP, {"catalog.yaml": text}))
    assert house.refresh().left == 3
    assert house.members("vips") == set()
    assert told(house.moves())[-1] == ("vips", "out", "CATALOG")


def test_each_recipient_knows_a_member_by_a_token_of_its_own(house):
    house.consent("ada")
    house.set("ada", vip=True)
    house.refresh()
    assert house.members("vips", SHOP) == {house.token("ada", SHOP)}
    assert house.members("vips", MAILER) == {house.token("ada", MAILER)}
    assert house.members("vips", SHOP).isdisjoint(house.members("vips", MAILER))


def test_a_cursor_goes_on_where_it_stopped(house):
    house.consent("ada")
    house.set("ada", vip=True)
    house.refresh()
    (first,) = house.moves()
    house.set("ada", vip=False)
    house.refresh()
    assert told(house.moves(first.cursor)) == [("vips", "out", "PROFILE")]
    with pytest.raises(InvalidInput, match="list the members"):
        house.moves(first.cursor + 100)


def test_who_was_told_is_told_of_an_erasure(house):
    house.consent("ada")
    house.set("ada", vip=True)
    house.refresh()
    token = house.token("ada")
    (entered,) = house.moves()
    house.run(house.engine.rights.erase(SHOP, who("ada")))
    (left,) = house.moves(entered.cursor)
    assert (left.token, left.segment, left.entered, left.reason) == (token, "vips", False, "ERASED")
    kept = house.engine.store.reader.execute(
        "SELECT (SELECT COUNT(*) FROM memberships), (SELECT COUNT(*) FROM membership_due)"
    ).fetchone()
    assert tuple(kept) == (0, 0)


def test_what_is_not_kept_is_not_listed(house):
    with pytest.raises(FailedPrecondition, match="memberships are not kept for service"):
        house.run(house.engine.watcher.members(SHOP, "service", "vips", 0, 10))


def test_nobody_is_evaluated_again_without_a_reason(house):
    for number in range(5):
        house.consent(f"customer-{number}")
        house.set(f"customer-{number}", vip=True)
    assert house.refresh().subjects == 5
    assert house.refresh().subjects == 0
    house.set("customer-3", vip=False)
    assert house.refresh().subjects == 1


def test_pages_hold_every_member_once(house):
    for number in range(7):
        house.consent(f"customer-{number}")
        house.set(f"customer-{number}", vip=True)
    house.refresh()
    found, after = [], 0
    while True:
        page, after = house.run(house.engine.watcher.members(SHOP, "mail", "vips", after, 3))
        found += [member.token for member in page]
        if not after:
            break
    assert len(found) == len(set(found)) == 7


def damage(house, name: str, table: str, column: str) -> None:
    """Flips what is stored of one subject, so that it can't be read."""
    key = house.engine.events._pseudonyms.subject_key(who(name))
    statement = f"UPDATE {table} SET {column} = ? WHERE subject_key = ?"

    def work(connection):
        connection.execute(statement, (b"damaged", key))

    house.run(house.engine.store.writer.write(work))


def test_who_can_not_be_read_holds_up_nobody_and_leaves_nothing(house):
    for name in ("ada", "eve"):
        house.consent(name)
        house.set(name, vip=True)
        house.order(name)
    house.refresh()
    cursor, token = house.moves()[-1].cursor, house.token("ada")
    damage(house, "ada", "event_parts", "body")
    house.set("eve", vip=False)
    house.later(minutes=1)
    key = house.engine.events._pseudonyms.subject_key(who("ada"))
    house.run(
        house.engine.store.writer.write(
            lambda connection: house.engine.refresher._rows.mark(connection, key, house.clock(), "EVENTS")
        )
    )
    done = house.refresh()
    assert (done.subjects, done.failed) == (1, 1)
    assert told(house.moves(cursor)) == [("vips", "out", "PROFILE")]
    assert house.members("vips") == {token}


def test_a_profile_that_can_not_be_read_hides_one_member_alone(house):
    for name in ("ada", "eve"):
        house.consent(name)
        house.set(name, vip=True)
    house.refresh()
    damage(house, "ada", "subjects", "profile")
    assert house.members("vips") == {house.token("eve")}
    assert len(house.moves()) == 1


def test_events_that_only_the_look_ahead_reads_hold_up_nobody(house, monkeypatch):
    house.consent("ada")
    house.order("ada")
    monkeypatch.setattr("segserver.engine.refresh.Ahead.due", refuse)
    assert house.refresh().subjects == 1
    assert house.members("active") == {house.token("ada")}
    monkeypatch.undo()
    house.later(days=29, hours=23)
    house.refresh()
    house.later(hours=1)
    assert house.refresh().left == 1


def refuse(*_: object) -> None:
    raise IntegrityError("damaged", reason="EVENTS_UNREADABLE")


def test_a_watcher_who_is_slower_than_the_history_is_told(house):
    house.consent("ada")
    house.set("ada", vip=True)
    house.refresh()

    async def watch():
        stream = house.engine.watcher.watch(SHOP, "mail", (), 0)
        await anext(stream)
        house.later(days=500)
        await house.engine.profiles.upsert(SHOP, [Change(who("ada"), {"vip": False})])
        await house.engine.refresher.refresh()
        house.later(days=500)
        await house.engine.refresher._forget()
        with pytest.raises(InvalidInput, match="kept no more"):
            await anext(stream)

    house.run(watch())
