from __future__ import annotations

import datetime as dt
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segserver.errors import Conflict, FailedPrecondition, InvalidInput, NotFound, PermissionDenied
from segserver.model import Category, LegalBasis, SubjectId
from segserver.privacy.export import Derived, export, read
from segserver.privacy.gate import Gate
from segserver.privacy.policy import Label, Policy, Purpose
from segserver.privacy.pseudonyms import NO_SALT, Pseudonyms
from segserver.privacy.records import Record, RecordKind
from segserver.privacy.rights import Identifications, Register, RequestKind, Rights, month_after
from segserver.privacy.subject import GPC, Profile
from segserver.rules.times import from_datetime
from segserver.storage.consents import ConsentRecords
from segserver.storage.requests import Requests

POLICY = Policy(
    purposes={"marketing": Purpose("marketing", LegalBasis.CONSENT, frozenset(Category))},
    labels={"income": Label(Category.FINANCIAL), "city": Label(Category.LOCATION)},
    retention_us={Category.LOCATION: 100},
)
names = st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True)
values = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.lists(st.text(), max_size=3).map(tuple)
)
steps = st.lists(
    st.builds(
        Record,
        kind=st.sampled_from(RecordKind),
        purpose=st.just("marketing"),
        signal=st.just(GPC),
        at_us=st.integers(1, 50),
        recorded_us=st.integers(50, 60),
        expires_us=st.none() | st.integers(51, 90),
        explicit=st.booleans(),
        notice_version=st.sampled_from(["", "v1"]),
        jurisdiction=st.sampled_from(["", "DE", "US-CA"]),
    ),
    max_size=6,
)


@pytest.fixture(scope="module")
def pseudonyms(keyring) -> Pseudonyms:
    return Pseudonyms(keyring)


@pytest.fixture
def rights(vault, profiles, subjects, pseudonyms) -> Rights:
    return Rights(
        vault, profiles, subjects, ConsentRecords(), pseudonyms, {"events": lambda _connection, _key: 4}
    )


def key_of(pseudonyms, number: int) -> bytes:
    return pseudonyms.subject_key(SubjectId("customer", f"C-{number}"))


def test_an_erased_subject_leaves_no_byte(database, pseudonyms, profiles, subjects, ledger, rights):
    connection, reader = database.connect(), database.connect(read_only=True)
    keys = [key_of(pseudonyms, n) for n in range(400)]
    for n, key in enumerate(keys):
        profiles.merge(key, {"income": n, "city": f"city {n}" * (n % 50)}, 5)(connection)
    victim = keys[200]
    alias = pseudonyms.subject_key(SubjectId("email", "jo@example.org"))
    rights.join(alias, victim, 5)(connection)
    marks: set[bytes] = {victim, alias}

    def remember() -> None:
        row = subjects.get(connection, victim)
        marks.update({row.salt, row.wrapped_key, row.profile, row.state})
        marks.update(
            evidence for _, evidence in ConsentRecords().page(connection, victim, before=99, rows=99)
        )

    for turn in range(1, 9):
        grant = Record(kind=RecordKind.GRANTED, purpose="marketing", at_us=turn, recorded_us=turn)
        ledger.record(victim, grant, POLICY)(connection)
        profiles.merge(victim, {"city": "x" * 90 * turn}, 6)(connection)
        remember()
    assert all(mark in everything(database) for mark in (victim, alias))
    receipt = rights.erase(alias, 7)(connection)
    assert database.forget()
    assert receipt.existed
    assert receipt.removed == {"aliases": 1, "consent records": 8, "events": 4, "profiles": 1}
    found = everything(database)
    assert [mark for mark in marks if mark in found] == []
    assert sum(len(page) for page in subjects.pages(reader)) == 399
    assert profiles.require(reader, keys[201]).profile.values["income"] == 201
    connection.close()
    reader.close()


def everything(database) -> bytes:
    """Every byte that SQLite left in files, free pages and write-ahead log included."""
    return b"".join(path.read_bytes() for path in sorted(database.path.parent.iterdir()))


def test_erasing_again_finds_nothing_and_says_so(connection, pseudonyms, profiles, rights):
    key = key_of(pseudonyms, 1)
    subject = profiles.merge(key, {"income": 1}, 5)(connection)
    before = pseudonyms.audit_token(key, subject.salt)
    first, second = rights.erase(key, 6)(connection), rights.erase(key, 7)(connection)
    assert (first.existed, first.subject) == (True, before)
    assert (second.existed, second.subject) == (False, pseudonyms.audit_token(key, NO_SALT))
    assert second.removed["profiles"] == 0
    again = profiles.merge(key, {"income": 1}, 8)(connection)
    assert again.salt != subject.salt
    assert pseudonyms.audit_token(key, again.salt) != before


@given(st.dictionaries(names, values, max_size=6), st.dictionaries(names, st.integers(0, 2**50)), steps)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_an_export_comes_back_without_loss(
    database, pseudonyms, profiles, ledger, rights, attributes, expires, records
):
    connection = database.connect()
    key = key_of(pseudonyms, 1)
    rights.erase(key, 1)(connection)
    moments = frozenset(n for n, v in attributes.items() if type(v) is int and abs(v) < 2**55)
    profiles.merge(key, {"first": 1}, 3)(connection)
    profiles.merge(key, attributes, 4, timestamps=moments, expires=expires)(connection)
    for record in records:
        ledger.record(key, record, POLICY)(connection)
    subject = profiles.require(connection, key)
    history = ledger.history(connection, subject)
    derived = Derived(
        memberships={"marketing": {"b": "MEMBER", "a": "UNKNOWN"}}, rules={"a": "x > 1"}, sources={"x": "crm"}
    )
    document = export(subject, "r1-0", history, POLICY, derived)
    assert document == export(subject, "r1-0", list(reversed(history)), POLICY, derived)
    rights.erase(key, 5)(connection)
    rights.restore(key, read(document), 9)(connection)
    restored = profiles.require(connection, key)
    assert restored.profile.values == subject.profile.values
    assert {n: type(v) for n, v in restored.profile.values.items()} == {
        n: type(v) for n, v in subject.profile.values.items()
    }
    for name in restored.profile.values:
        assert restored.profile.recorded_at(name) == subject.profile.recorded_at(name)
    assert (restored.profile.expires, restored.profile.timestamps) == (
        subject.profile.expires,
        subject.profile.timestamps,
    )
    assert restored.state == subject.state
    assert ledger.history(connection, restored) == history
    assert export(restored, "r1-0", history, POLICY, derived) == document
    with pytest.raises(Conflict):
        rights.restore(key, read(document), 9)(connection)
    connection.close()


def test_an_export_is_for_people_too(connection, pseudonyms, profiles):
    key = key_of(pseudonyms, 1)
    birth = from_datetime(dt.datetime(1990, 5, 1, tzinfo=dt.UTC))
    subject = profiles.merge(key, {"born": birth, "income": 5}, 10**15, timestamps=frozenset({"born"}))(
        connection
    )
    found = json.loads(export(subject, "r1-0", [], POLICY, Derived()))
    assert found["attributes"]["born"]["value"] == "1990-05-01T00:00:00Z"
    assert found["attributes"]["income"] == {
        "type": "int",
        "value": 5,
        "recorded": "2001-09-09T01:46:40Z",
        "expires": None,
        "category": "financial",
    }
    assert found["purposes"] == {"marketing": "consent"}


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(format="other/1"),
        lambda d: d.update(extra=1),
        lambda d: d.pop("records"),
        lambda d: d["attributes"]["income"].update(type="canary"),
        lambda d: d["attributes"]["income"].update(value="canary"),
        lambda d: d["attributes"]["income"].update(recorded="2026-01-01T00:00:00"),
        lambda d: d["attributes"]["income"].update(type="timestamp", value="canary"),
        lambda d: d["records"].append(
            {"number": 2, "record": {"kind": "granted", "at_us": 1, "recorded_us": 1}}
        ),
    ],
)
def test_a_malformed_export_is_refused_without_showing_it(connection, pseudonyms, profiles, change):
    subject = profiles.merge(key_of(pseudonyms, 1), {"income": 5}, 1)(connection)
    document = json.loads(export(subject, "r1-0", [], POLICY, Derived()))
    change(document)
    with pytest.raises(InvalidInput) as caught:
        read(json.dumps(document).encode())
    assert "canary" not in str(caught.value)


def test_an_alias_leads_to_one_subject(connection, pseudonyms, profiles, rights):
    first, second, mail = (key_of(pseudonyms, n) for n in range(3))
    for key in (first, second):
        profiles.merge(key, {"income": 1}, 1)(connection)
    rights.join(mail, first, 5)(connection)
    rights.join(mail, first, 5)(connection)
    assert profiles.require(connection, mail).subject_key == first
    for other in (second, mail):
        with pytest.raises(Conflict):
            rights.join(other, second if other == mail else first, 5)(connection)
    with pytest.raises(NotFound):
        rights.join(mail, key_of(pseudonyms, 9), 5)(connection)


def test_expired_values_are_swept_and_others_stay(connection, pseudonyms, profiles, rights):
    gate = Gate(POLICY)
    keys = [key_of(pseudonyms, n) for n in range(5)]
    for n, key in enumerate(keys):
        profiles.merge(key, {"income": n, "city": "x"}, 10 * n)(connection)
    profiles.merge(keys[4], {"mood": "x"}, 50, expires={"mood": 60})(connection)
    pages = list(rights.expired(connection, gate, 115))
    assert sorted(key for page in pages for key in page) == sorted([keys[0], keys[1], keys[4]])
    before = {key: gate.current(profiles.require(connection, key).profile, 115) for key in keys}
    swept = [swept for page in pages for swept in rights.sweep(page, gate, 115)(connection)]
    assert sorted(item.attributes for item in swept) == [("city",), ("city",), ("mood",)]
    tokens = [
        pseudonyms.audit_token(key, profiles.require(connection, key).salt)
        for key in (keys[0], keys[1], keys[4])
    ]
    assert {item.subject for item in swept} == set(tokens)
    assert {key: profiles.require(connection, key).profile.values for key in keys} == before
    assert list(rights.expired(connection, gate, 115)) == []
    assert rights.sweep([*keys, key_of(pseudonyms, 9)], gate, 115)(connection) == []


def test_a_damaged_row_does_not_stop_the_sweep(connection, pseudonyms, profiles, rights):
    keys = sorted(key_of(pseudonyms, n) for n in range(2))
    for key in keys:
        profiles.merge(key, {"city": "x"}, 0)(connection)
    connection.execute("UPDATE subjects SET profile = x'00' WHERE subject_key = ?", (keys[0],))
    assert list(rights.expired(connection, Gate(POLICY), 200)) == [[keys[1]]]


def test_a_sweep_that_is_told_to_stop_stops(connection, pseudonyms, profiles, rights):
    profiles.merge(key_of(pseudonyms, 1), {"city": "x"}, 0)(connection)
    assert list(rights.expired(connection, Gate(POLICY), 200, lambda: True)) == []


@pytest.fixture
def register() -> Register:
    return Register(Requests())


def test_a_request_is_due_in_a_month_and_listed_until_done(connection, register):
    start = from_datetime(dt.datetime(2026, 1, 31, 9, tzinfo=dt.UTC))
    row = register.open(RequestKind.ACCESS, "a1-0", start)(connection)
    due = from_datetime(dt.datetime(2026, 2, 28, 9, tzinfo=dt.UTC))
    assert row.due_us == due
    assert register.pending(connection) == [row]
    assert register.overdue(connection, due) == []
    assert register.overdue(connection, due + 1) == [row]
    register.complete(row.request_id, due + 2)(connection)
    assert register.overdue(connection, due + 3) == []
    assert Requests().get(connection, row.request_id).completed_us == due + 2
    with pytest.raises(NotFound):
        register.complete(row.request_id, due + 4)(connection)


@given(st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2100, 1, 1), timezones=st.just(dt.UTC)))
def test_a_month_is_the_same_day_of_the_next(start):
    end = dt.datetime.fromtimestamp(month_after(from_datetime(start)) // 1_000_000, dt.UTC)
    assert (end.year * 12 + end.month) - (start.year * 12 + start.month) == 1
    assert end.day == start.day or (end.day < start.day and (end + dt.timedelta(days=1)).day == 1)


def test_two_officers_identify_once(connection, pseudonyms, profiles, subjects):
    desk = Identifications(Requests(), subjects, pseudonyms)
    key = key_of(pseudonyms, 7)
    subject = profiles.merge(key, {"income": 1}, 1)(connection)
    token = pseudonyms.audit_token(key, subject.salt)
    asked = desk.ask(token, "A court order names this entry.", "ada", 5)(connection)
    with pytest.raises(PermissionDenied) as caught:
        desk.approve(asked.request_id, "ada")(connection)
    assert caught.value.reason == "SECOND_OFFICER_REQUIRED"
    approved = desk.approve(asked.request_id, "bob")(connection)
    assert (approved.asked_by, approved.approved_by, approved.subject) == ("ada", "bob", token)
    assert desk.find(connection, approved.subject) == key
    with pytest.raises(FailedPrecondition):
        desk.approve(asked.request_id, "eve")(connection)
    with pytest.raises(NotFound):
        desk.approve("nothing", "bob")(connection)
    subjects.erase(connection, key)
    with pytest.raises(NotFound):
        desk.find(connection, token)


@pytest.mark.parametrize("reason", ["", "   ", "because", "a reason with\na line break"])
def test_identifying_needs_a_reason(subjects, pseudonyms, reason):
    with pytest.raises(InvalidInput) as caught:
        Identifications(Requests(), subjects, pseudonyms).ask("a1-" + "0" * 32, reason, "ada", 5)
    assert caught.value.reason == "REASON_MISSING"


def test_a_profile_without_names_keeps_the_others_times():
    profile = Profile({"a": 1, "b": 2}, 5, {"a": 3, "b": 4}, {"a": 9, "b": 8}, ("a", "b"))
    assert profile.without(frozenset({"a"})) == Profile({"b": 2}, 5, {"b": 4}, {"b": 8}, ("b",))
