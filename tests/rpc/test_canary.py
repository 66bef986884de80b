"""Marked ids and values go through every call and every error; then every byte written is searched."""

from __future__ import annotations

import datetime as dt
import importlib
import json
import logging
import pkgutil

import polars as pl
import pytest
import structlog
from google.protobuf.message_factory import GetMessageClass
from servers import NOON, open_engine, plugins, running

import segserver.v1
from segserver.audit.entry import Kind
from segserver.client import Event, calls
from segserver.client.audit_calls import EntryFilter
from segserver.engine.keys import KeyDesk
from segserver.errors import SegserverError
from segserver.model import SubjectId
from segserver.rpc.permissions import PERMISSIONS
from segserver.strategies import hookimpl
from segserver.strategies.api import Attribute, Segment, Strategy, Trait

MARK = "kanarienvogel"
NUMBER = 7_041_776_041
"""Marked, too: it must stand nowhere as digits."""

CATALOG = """
purposes:
  care: {legal_basis: contract, categories: [demographic, contact, behavioral]}
  marketing: {legal_basis: consent, categories: [demographic]}
  serving: {legal_basis: contract, categories: [behavioral], memberships: true}
events:
  order:
    category: behavioral
    properties:
      note: {type: string, category: behavioral}
      total: {type: int, category: behavioral}
computed:
  last_note: {event: order, aggregate: last, of: note, window: all, category: behavioral}
  spent: {event: order, aggregate: sum, of: total, window: all, category: behavioral}
lists:
  vip: {category: behavioral, purposes: [serving], owner: crm}
attributes:
  mail: {type: string, category: contact}
  income: {type: int, category: demographic}
segments:
  - {id: people/rich, rule: income > 1000}
  - {id: people/noted, rule: last_note.size() > 3 && spent > 5}
  - {id: people/vips, rule: 'in_list("vip")'}
"""
SUBJECTS = [
    SubjectId("customer", f"{MARK}-id"),
    SubjectId("email", f"{MARK}@{MARK}.example"),
    SubjectId("phone", "+442079460018"),
]
PHONE = "2079460018"


def explode(value: str) -> str:
    raise RuntimeError(f"plugin sees {value}")


class Raising:
    """A plugin whose code puts the value into its exception."""

    @hookimpl
    def segserver_strategies(self):
        yield Strategy(
            name="raising",
            version="1.0.0",
            attributes=[Attribute("secret", "string", category="behavioral")],
            traits=[Trait("boom", "string", reads=["secret"], function=explode)],
            segments=[Segment("raising/any", rule='raising.boom == "x"')],
        )


@pytest.fixture
def written(caplog, capfd):
    """What was logged or printed until now, by structlog and by the standard library."""
    caplog.set_level(logging.DEBUG)
    with structlog.testing.capture_logs() as logs:

        def everything() -> str:
            out, err = capfd.readouterr()
            return out + err + caplog.text + repr(logs)

        yield everything


async def attempt(awaitable, errors: list[str]) -> None:
    """Waits for a call; of an error, keeps all that a caller can see."""
    try:
        await awaitable
    except SegserverError as error:
        shown = [error.message, error.reason, error.metadata, error.violations, error.__cause__]
        errors.append(repr(shown))


async def every_call(client, subject: SubjectId, errors: list[str]) -> None:
    values = {"mail": f"{MARK}-value", "income": NUMBER, "secret": f"{MARK}-secret"}
    later = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
    calls = [
        client.upsert_profile(subject, values),
        client.upsert_profile(subject, {"income": f"{MARK}-type"}),
        client.upsert_profile(subject, {"mail": f"{MARK}" * 20_000}),
        client.evaluate(subject, "care"),
        client.evaluate(subject, "marketing", attributes={"mail": f"{MARK}-brought"}),
        client.evaluate(subject, "care", attributes={"income": f"{MARK}-type"}),
        client.evaluate(subject, "care", ["people/none"]),
        everything(client.evaluate_all("care")),
        everything(client.evaluate_all("marketing", ["people/none"])),
        client.explain(subject, "care", "people/rich"),
        client.explain(subject, "care", "raising/any"),
        client.get_profile(subject),
        client.record_consent(subject, "marketing", method=f"{MARK}-method", notice_version=f"{MARK}-notice"),
        client.record_consent(subject, "marketing", at=later),
        client.record_consent(subject, "marketing", method=f"{MARK}\n"),
        client.record_consent_receipt(subject, json.dumps({"name": f"{MARK}-receipt"})),
        client.withdraw_consent(subject, "marketing", method=f"{MARK}-method"),
        client.record_objection(subject, method=f"{MARK}-method", reason=f"{MARK}-reason"),
        client.record_privacy_signal(subject, "gpc", method=f"{MARK}-method"),
        client.consents(subject),
        client.consent_history(subject),
        client.add_alias(subject, SubjectId("customer", f"{MARK}-alias")),
        client.restrict_subject(subject, reason=f"{MARK}-reason"),
        client.export_subject(subject),
        client.import_subject(subject, f'{{"{MARK}": 1}}'.encode()),
        client.open_request(subject, "access"),
        client.evaluate(SubjectId("phone", f"{MARK}-phone"), "care"),
        client.evaluate(SubjectId("email", f"{MARK}-mail"), "care"),
        *about_behavior(client, subject),
        *about_the_log(client, subject),
        client.export_subject(subject, following=f"{MARK}-following"),
        client.erase_subject(subject),
        client.get_profile(subject),
        *about_the_log(client, subject),
    ]
    for call in calls:
        await attempt(call, errors)


def about_behavior(client, subject: SubjectId) -> list:
    """Events, lists and memberships: right, wrong and broken off."""
    now = NOON - dt.timedelta(days=1)
    good = {"note": f"{MARK}-note", "total": NUMBER}
    events = [
        Event(subject, "order", now, good, f"{MARK}-event"),
        Event(subject, "order", now, {"note": f"{MARK}-other"}, f"{MARK}-event"),
        Event(subject, "none", now, good),
        Event(subject, "order", now, {"none": f"{MARK}-undeclared"}),
        Event(subject, "order", now, {"note": NUMBER, "total": f"{MARK}-type"}),
        Event(subject, "order", dt.datetime(2030, 1, 1, tzinfo=dt.UTC), good),
        Event(SubjectId("email", f"{MARK}-mail"), "order", now, good),
        Event(subject, "order", now, good, f"{MARK}" * 100),
    ]
    return [
        client.record_events(events),
        *(client.record_events([event]) for event in events),
        everything(client.stream_events([events, events[:1]])),
        everything(client.upload_list("vip", [subject.id, f"{MARK}-listed"], id_type=subject.type)),
        everything(client.upload_list("vip", [f"{MARK}-phone", f"{MARK}"], id_type="phone")),
        everything(client.upload_list("vip", [f"{MARK}-listed"], id_type=f"{MARK}-type")),
        everything(client.upload_list("vip", [f"{MARK}-listed"] * 3 + [MARK * 200])),
        everything(client.upload_list("none", [subject.id, f"{MARK}-listed"])),
        everything(client.upload_list("vip", [subject.id], owner=f"{MARK}\n")),
        client.evaluate(subject, "serving"),
        client.explain(subject, "serving", "people/noted"),
        client.explain(subject, "serving", "people/vips"),
        client.refresh_memberships(),
        everything(client.members("people/noted", "serving")),
        everything(client.members("people/vips", "serving")),
        everything(client.members("people/vips", "none")),
        first(client.watch_memberships("serving", cursor="0")),
        first(client.watch_memberships("serving", cursor=f"{MARK}-cursor")),
        client.export_subject(subject),
        client.delete_list("none"),
        client.delete_list("vip"),
    ]


async def first(stream) -> None:
    try:
        await anext(stream)
    finally:
        await stream.aclose()


def about_the_log(client, subject: SubjectId) -> list:
    wanted = EntryFilter(subject=subject)
    return [
        everything(client.audit_entries(wanted)),
        everything(client.export_audit(wanted)),
        everything(client.audit_entries(EntryFilter(audit_token=f"{MARK}-token", subject=subject))),
        *(
            everything(client.audit_entries(EntryFilter(**{name: f"{MARK}@{MARK}.example"})))
            for name in ("caller", "purpose", "segment", "withheld_by", "result", "audit_token")
        ),
        everything(client.audit_entries(EntryFilter(kinds=[f"{MARK}-kind"]))),
        everything(client.audit_entries(EntryFilter(outcome=f"{MARK}-outcome"))),
        client.audit_stats(wanted),
        everything(client.audit_results(subject)),
        everything(client.audit_results(audit_token=f"{MARK}-token")),
        *(client.prove_result(number, subject) for number in range(8)),
        client.prove_result(0, audit_token=f"{MARK}-token"),
        *(client.replay_entry(number, subject) for number in range(40)),
        client.ask_identification(f"{MARK}-token", "A court order names this entry."),
    ]


async def everything(listing) -> None:
    async for _ in listing:
        pass


async def test_no_id_and_no_value_is_ever_written_in_clear(tmp_path, written):
    engine = open_engine(tmp_path, {"catalog.yaml": CATALOG}, plugins(Raising()), reflection=True)
    errors: list[str] = []
    files = b""
    async with running(engine) as server:
        for subject in SUBJECTS:
            await every_call(server.client(), subject, errors)
            files += everything_in(tmp_path)
        kinds = {entry.kind for entry in server.entries()}
        assert kinds >= {Kind.EVENTS_RECORDED, Kind.LIST_UPLOADED, Kind.MEMBERSHIPS_READ}
        KeyDesk(engine.config, engine.installed, engine.store, engine.now_us).rotate()
        assert engine.upkeep.rewrap() == engine.upkeep.sweep() == 0
        stranger = server.client("wrong key")
        await attempt(stranger.evaluate(SUBJECTS[0], "care"), errors)
        await malformed_calls(server, errors)
    files += everything_in(tmp_path)
    shown = [*errors, *written().splitlines()]
    assert len(errors) >= 3 * 9
    for mark in (MARK, str(NUMBER), PHONE):
        assert [text for text in shown if mark in text] == []
        assert mark.encode() not in files
    assert MARK not in " ".join(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))


def everything_in(folder) -> bytes:
    """The bytes of all files; of evidence, which is compressed, also what it says."""
    evidence = [pl.read_parquet(path).write_csv().encode() for path in folder.rglob("*.parquet")]
    return b"".join([*evidence, *(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())])


async def malformed_calls(server, errors: list[str]) -> None:
    """Every method there is, with a marked subject, marked bytes, and text that means nothing."""
    client = server.client()
    modules = [
        importlib.import_module(f"segserver.v1.{module.name}")
        for module in pkgutil.iter_modules(segserver.v1.__path__)
        if module.name.endswith("_service_pb2")
    ]
    methods = {
        f"/{service.full_name}/{method.name}": method
        for module in modules
        for service in module.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }
    assert set(methods) == set(PERMISSIONS)
    for path, method in sorted(methods.items()):
        message = GetMessageClass(method.input_type)()
        for field in message.DESCRIPTOR.fields:
            if field.is_repeated:
                continue
            if field.type == field.TYPE_STRING:
                setattr(message, field.name, "text")
            elif field.type == field.TYPE_BYTES:
                setattr(message, field.name, f"{MARK}-field".encode())
            elif field.message_type is not None and field.message_type.name == "SubjectId":
                getattr(message, field.name).id = f"{MARK}-subject"
        service, name = path[1:].split("/")
        call = calls.Call(service, name, message, GetMessageClass(method.output_type), lambda reply: reply)
        await attempt(client.send(call), errors)
