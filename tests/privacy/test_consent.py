from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlite_utils.utils import sqlite3

from segserver.errors import IntegrityError, InvalidInput, NotFound
from segserver.model import Category, LegalBasis
from segserver.privacy.consent import following
from segserver.privacy.gate import Consent, Gate, standing
from segserver.privacy.policy import Label, Policy, Purpose
from segserver.privacy.reasons import Reason
from segserver.privacy.receipt import Controller, read_receipt, receipt
from segserver.privacy.records import Record, RecordKind
from segserver.privacy.subject import GPC, MARKETING, NO_STATE, Status, SubjectState

KEY = b"\x01" + b"k" * 32
DEMOGRAPHIC = frozenset({Category.DEMOGRAPHIC})
POLICY = Policy(
    purposes={
        "marketing": Purpose("marketing", LegalBasis.CONSENT, DEMOGRAPHIC, direct_marketing=True),
        "service": Purpose("service", LegalBasis.CONTRACT, DEMOGRAPHIC),
    },
    labels={"income": Label(Category.DEMOGRAPHIC)},
)


def content(connection) -> list[list[tuple]]:
    statements = ("SELECT * FROM subjects", "SELECT * FROM consent_records")
    return [connection.execute(statement).fetchall() for statement in statements]


def granted(at_us: int = 10, recorded_us: int | None = None, **evidence) -> Record:
    return Record(
        kind=RecordKind.GRANTED,
        purpose="marketing",
        at_us=at_us,
        recorded_us=at_us if recorded_us is None else recorded_us,
        **evidence,
    )


def record(kind: RecordKind, at_us: int = 20, recorded_us: int | None = None, **evidence) -> Record:
    given_ = {"purpose": "marketing"} | evidence
    return Record(kind=kind, at_us=at_us, recorded_us=at_us if recorded_us is None else recorded_us, **given_)


@pytest.fixture
def stored(profiles, connection):
    profiles.merge(KEY, {"income": 7}, 1)(connection)
    return connection


def reasons(profiles, connection, caller, purpose="marketing", now_us=1_000) -> set[Reason]:
    state = profiles.require(connection, KEY).state
    return set(Gate(POLICY).mask(purpose, state, caller, now_us).withheld.values())


def test_a_grant_shows_and_a_withdrawal_hides(ledger, profiles, stored, caller):
    assert reasons(profiles, stored, caller) == {Reason.CONSENT_MISSING}
    ledger.record(KEY, granted(10), POLICY)(stored)
    assert reasons(profiles, stored, caller) == set()
    done = ledger.record(KEY, record(RecordKind.WITHDRAWN), POLICY)(stored)
    assert (done.number, done.standing) == (2, Consent.WITHDRAWN)
    assert reasons(profiles, stored, caller) == {Reason.CONSENT_WITHDRAWN}


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([record(RecordKind.REFUSED)], {Reason.CONSENT_REFUSED}),
        ([granted(10, expires_us=500)], {Reason.CONSENT_EXPIRED}),
        ([granted(10), record(RecordKind.OBJECTED)], {Reason.OBJECTED}),
        ([granted(10), record(RecordKind.OBJECTED, purpose=MARKETING)], {Reason.OBJECTED}),
        ([record(RecordKind.OBJECTED), granted(30)], {Reason.OBJECTED}),
        ([granted(10), record(RecordKind.OBJECTED), record(RecordKind.OBJECTION_LIFTED, 30)], set()),
        ([granted(10), record(RecordKind.RESTRICTED, purpose="")], {Reason.RESTRICTED}),
        (
            [granted(10), record(RecordKind.RESTRICTED), record(RecordKind.RESTRICTION_LIFTED)],
            set(),
        ),
        ([granted(10), record(RecordKind.SIGNAL_SET, signal=GPC)], {Reason.GPC_OPT_OUT}),
        (
            [granted(10, jurisdiction="US-CA"), record(RecordKind.SIGNAL_SET, signal=GPC)],
            {Reason.GPC_OPT_OUT},
        ),
        (
            [
                granted(10, jurisdiction="US-CA"),
                record(RecordKind.SIGNAL_SET, signal=GPC),
                record(RecordKind.SIGNAL_CLEARED, signal=GPC),
            ],
            set(),
        ),
        ([record(RecordKind.WITHDRAWN), granted(30)], set()),
    ],
)
def test_what_a_person_decided_is_what_the_gate_asks(ledger, profiles, stored, caller, steps, expected):
    for step in steps:
        ledger.record(KEY, step, POLICY)(stored)
    assert reasons(profiles, stored, caller) == expected


@pytest.mark.parametrize(
    ("steps", "status"),
    [
        ([granted(10), record(RecordKind.REFUSED, 5, 11)], Status.GRANTED),
        ([record(RecordKind.REFUSED, 10), granted(5, 11)], Status.REFUSED),
        ([record(RecordKind.REFUSED, 10), granted(10, 11)], Status.REFUSED),
        ([granted(10), record(RecordKind.REFUSED, 10, 11)], Status.REFUSED),
        ([granted(10), record(RecordKind.WITHDRAWN, 5, 12), granted(7, 13)], Status.WITHDRAWN),
        ([granted(10), record(RecordKind.WITHDRAWN, 5, 12), granted(12, 13)], Status.WITHDRAWN),
        ([granted(10), record(RecordKind.WITHDRAWN, 5, 12), granted(13, 13)], Status.GRANTED),
        ([granted(50), record(RecordKind.WITHDRAWN, 12), granted(40, 60)], Status.WITHDRAWN),
    ],
)
def test_contradictory_records_mean_no(steps, status):
    state = NO_STATE
    for number, step in enumerate(steps, 1):
        state = following(state, step, number)
    assert state.consents["marketing"].status is status


kinds = st.sampled_from([RecordKind.GRANTED, RecordKind.REFUSED, RecordKind.WITHDRAWN])


@given(st.lists(st.tuples(kinds, st.integers(1, 20), st.integers(0, 5)), max_size=8), st.integers(1, 30))
def test_no_grant_from_before_a_withdrawal_ever_counts_again(steps, now_us):
    state, ended_us = NO_STATE, 0
    for number, (kind, at_us, delay) in enumerate(steps, 1):
        step = record(kind, at_us, at_us + delay)
        state = following(state, step, number)
        if kind is RecordKind.WITHDRAWN:
            ended_us = max(ended_us, step.recorded_us)
            assert standing(state, "marketing", now_us) is Consent.WITHDRAWN
    decision = state.consents.get("marketing")
    if decision is not None and decision.status is Status.GRANTED:
        assert decision.at_us > ended_us


@pytest.mark.parametrize(
    ("bad", "error", "reason"),
    [
        (granted(11, 10), InvalidInput, "CONSENT_IN_FUTURE"),
        (granted(10, expires_us=9), InvalidInput, "CONSENT_EXPIRY_INVALID"),
        (granted(10, expires_us=10), InvalidInput, "CONSENT_EXPIRY_INVALID"),
        (granted(0), InvalidInput, "CONSENT_TIME_INVALID"),
        (record(RecordKind.GRANTED, purpose=""), InvalidInput, "PURPOSE_MISSING"),
        (record(RecordKind.WITHDRAWN, purpose="marketin"), NotFound, "PURPOSE_NOT_FOUND"),
        (record(RecordKind.OBJECTED, purpose="nothing"), NotFound, "PURPOSE_NOT_FOUND"),
        (record(RecordKind.SIGNAL_SET, signal="dnt"), InvalidInput, "SIGNAL_UNKNOWN"),
        (granted(10, method="x" * 501), InvalidInput, "LIMIT_EXCEEDED"),
        (granted(10, actor="a\nb"), InvalidInput, "TEXT_INVALID"),
        (granted(10, jurisdiction="us-ca"), InvalidInput, "JURISDICTION_INVALID"),
        (granted(10, jurisdiction="Bavaria"), InvalidInput, "JURISDICTION_INVALID"),
    ],
)
def test_a_bad_record_is_refused_and_nothing_is_stored(ledger, profiles, stored, bad, error, reason):
    before = content(stored)
    with pytest.raises(error) as caught:
        ledger.record(KEY, bad, POLICY)(stored)
    assert caught.value.reason == reason
    assert content(stored) == before


def test_a_record_needs_a_stored_subject(ledger, connection):
    before = content(connection)
    with pytest.raises(NotFound) as caught:
        ledger.record(KEY, granted(), POLICY)(connection)
    assert caught.value.reason == "SUBJECT_NOT_FOUND"
    assert content(connection) == before


def test_the_history_holds_the_evidence_newest_first(ledger, profiles, stored):
    first = granted(
        10, notice_version="v3", method="web-form", actor="shop", jurisdiction="DE", explicit=True
    )
    second = record(RecordKind.WITHDRAWN)
    for step in (first, second):
        ledger.record(KEY, step, POLICY)(stored)
    subject = profiles.require(stored, KEY)
    assert ledger.history(stored, subject) == [(2, second), (1, first)]
    assert ledger.history(stored, subject, rows=1) == [(2, second)]
    assert ledger.history(stored, subject, before=2) == [(1, first)]


def test_a_record_is_never_changed_and_a_forged_one_does_not_open(ledger, profiles, stored):
    ledger.record(KEY, granted(), POLICY)(stored)
    with pytest.raises(sqlite3.IntegrityError):
        stored.execute("UPDATE consent_records SET evidence = x'00'")
    stored.execute("INSERT INTO consent_records SELECT subject_key, 2, evidence FROM consent_records")
    subject = profiles.require(stored, KEY)
    with pytest.raises(IntegrityError):
        ledger.history(stored, subject, before=3)


def test_an_unreadable_state_takes_no_grant(ledger, profiles, stored, caller):
    stored.execute("UPDATE subjects SET state = profile")
    assert reasons(profiles, stored, caller) == {Reason.CONSENT_UNREADABLE}
    with pytest.raises(IntegrityError):
        ledger.record(KEY, granted(), POLICY)(stored)


def test_current_consents_name_every_purpose(ledger, profiles, stored):
    ledger.record(KEY, granted(10, expires_us=20), POLICY)(stored)
    ledger.record(KEY, record(RecordKind.OBJECTED, purpose="service"), POLICY)(stored)
    found = ledger.current(profiles.require(stored, KEY), POLICY, 20)
    assert [(c.purpose, c.standing, c.objected_us) for c in found] == [
        ("marketing", Consent.EXPIRED, None),
        ("service", Consent.MISSING, 20),
    ]


records_with_evidence = st.builds(
    Record,
    kind=kinds,
    purpose=st.just("marketing"),
    at_us=st.integers(1, 10**15),
    recorded_us=st.just(10**16),
    expires_us=st.none() | st.integers(10**15 + 1, 10**16),
    explicit=st.booleans(),
    notice_version=st.text(max_size=9),
    method=st.text(max_size=9),
    actor=st.text(max_size=9),
    jurisdiction=st.text(max_size=5),
)


@given(records_with_evidence)
def test_a_receipt_comes_back_as_its_record(original):
    document = json.dumps(
        receipt(3, original, "r1-0", POLICY, Controller("Shop", "mail@shop.example"))
    ).encode()
    assert read_receipt(document, 10**16) == original


@given(
    st.binary(max_size=60)
    | st.recursive(st.none() | st.text(), lambda c: st.dictionaries(st.text(), c)).map(
        lambda value: json.dumps(value).encode()
    )
)
@settings(suppress_health_check=[HealthCheck.filter_too_much])
def test_a_malformed_receipt_is_refused(document):
    with pytest.raises(InvalidInput) as caught:
        read_receipt(document, 1)
    assert caught.value.reason == "RECEIPT_MALFORMED"


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r.update(schema_version="KI-CR-v1.1.0"),
        lambda r: r["events"].append(r["events"][0]),
        lambda r: r["events"].clear(),
        lambda r: r["pii_processing"]["purposes"].clear(),
        lambda r: r["events"][0].update(event_time="2026-01-01T00:00:00"),
        lambda r: r["events"][0].update(event_time="canary"),
        lambda r: r["events"][0].update(event_state="canary"),
        lambda r: r["events"][0].update(event_type="canary"),
    ],
)
def test_a_receipt_with_one_thing_wrong_is_refused(change):
    document = receipt(3, granted(), "r1-0", POLICY, Controller())
    change(document)
    with pytest.raises(InvalidInput) as caught:
        read_receipt(json.dumps(document).encode(), 1)
    assert caught.value.reason == "RECEIPT_MALFORMED"
    assert "canary" not in str(caught.value)


def test_only_a_decision_on_a_purpose_has_a_receipt():
    with pytest.raises(InvalidInput):
        receipt(1, record(RecordKind.OBJECTED), "r1-0", POLICY, Controller())


def test_a_state_is_changed_by_what_follows_only():
    state = SubjectState(objections={"service": 3}, signals={GPC: 4}, jurisdiction="DE")
    after = following(state, granted(10), 1)
    assert (after.objections, after.signals, after.jurisdiction) == (state.objections, state.signals, "DE")
