"""Over a table, the gate and pseudonyms give what they give one at a time."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segserver.errors import InvalidInput, SegserverError
from segserver.model import Caller, Category, LegalBasis, Role, SubjectId
from segserver.privacy import tables
from segserver.privacy.gate import DAY_US, Gate
from segserver.privacy.keyring import new_keyring
from segserver.privacy.policy import CCPA, Label, Policy, Purpose, Regime
from segserver.privacy.pseudonyms import NO_SALT, Pseudonyms
from segserver.privacy.subject import GPC, LIMIT_SENSITIVE, MARKETING, Decision, Status, SubjectState

NOW_US = int(dt.datetime(2026, 6, 15, 12, tzinfo=dt.UTC).timestamp()) * 1_000_000
CALLER = Caller("crm", frozenset({Role.EVALUATOR}), frozenset({"marketing", "care", "unknown"}))
POLICY = Policy(
    purposes={
        "marketing": Purpose("marketing", LegalBasis.CONSENT, frozenset(Category), direct_marketing=True),
        "care": Purpose("care", LegalBasis.LEGITIMATE_INTEREST, frozenset({Category.DEMOGRAPHIC})),
        "other": Purpose("other", LegalBasis.CONTRACT, frozenset(Category)),
    },
    labels={
        "income": Label(Category.DEMOGRAPHIC),
        "city": Label(Category.LOCATION),
        "faith": Label(Category.SPECIAL),
        "birth_date": Label(Category.DEMOGRAPHIC),
    },
    regimes={"US-CA": CCPA, "GB": Regime(child_below_years=13)},
    deny_unknown_age=True,
)
PSEUDONYMS = Pseudonyms(new_keyring())
SCHEMA = {"income": pl.Int64, "city": pl.String, "faith": pl.String, "birth_date": pl.Int64, "age": pl.Int64}
decisions = st.builds(
    Decision,
    st.sampled_from(Status),
    st.just(1),
    st.sampled_from([NOW_US, NOW_US + 1]),
    st.sampled_from([None, NOW_US, NOW_US + 1]),
    st.booleans(),
)
states = st.builds(
    SubjectState,
    consents=st.dictionaries(st.sampled_from(["marketing", "care"]), decisions),
    objections=st.dictionaries(st.sampled_from(["care", MARKETING]), st.just(1), max_size=1),
    signals=st.dictionaries(st.sampled_from([GPC, LIMIT_SENSITIVE]), st.just(1)),
    restricted_us=st.sampled_from([None, None, None, 5]),
    jurisdiction=st.sampled_from(["", "DE", "US-CA", "GB", "GB-SCT", "US"]),
    readable=st.sampled_from([True, True, True, False]),
)
limits_us = [NOW_US - round(years * 365.2425) * DAY_US for years in (13, 16)]
births = st.none() | st.sampled_from(limits_us).flatmap(lambda m: st.integers(m - 2 * DAY_US, m + 2 * DAY_US))
rows = st.tuples(
    states,
    st.fixed_dictionaries(
        {
            "income": st.none() | st.integers(0, 9),
            "city": st.none() | st.text(max_size=3),
            "faith": st.none() | st.text(max_size=3),
            "birth_date": births,
            "age": st.none() | st.integers(11, 17),
        }
    ),
)


@settings(max_examples=40)  # a table holds many rows, and Polars takes a millisecond for each expression
@given(st.lists(rows, max_size=30), st.sampled_from(["marketing", "care", "other", "unknown"]))
def test_a_table_is_masked_as_its_rows_are(sample, purpose):
    gate = Gate(POLICY)
    defined = POLICY.purposes.get(purpose)
    marketing = defined is not None and defined.direct_marketing
    frame = tables.state_table([state for state, _ in sample], purpose, direct_marketing=marketing)
    values = pl.DataFrame([row for _, row in sample], schema=SCHEMA)
    mask = tables.mask_table(gate, purpose, CALLER, NOW_US, frame, values)
    inputs = ("income", "city", "faith", "birth_date", "undeclared")
    shown = mask.apply(values, inputs)
    assert shown.columns == list(inputs)
    for number, (state, row) in enumerate(sample):
        known = {name: value for name, value in row.items() if value is not None}
        one = gate.mask(purpose, state, CALLER, NOW_US, known)
        visible, withheld = one.apply(known, inputs)
        assert list(shown.row(number)) == visible
        for name in inputs:
            assert mask.withheld(name)[number] is (name in withheld)
            assert mask.reasons(name)[number] == one.reason(name)


def test_a_birth_date_may_be_a_column_of_datetimes():
    moments = pl.Series("birth_date", [dt.datetime(1980, 1, 1), dt.datetime(2020, 1, 1), None])
    frame = tables.state_table([SubjectState()] * 3, "care", direct_marketing=False)
    for column in (moments.cast(pl.Datetime("ms", "UTC")), moments.cast(pl.Datetime("ns")), moments):
        mask = tables.mask_table(Gate(POLICY), "care", CALLER, NOW_US, frame, column.to_frame())
        assert mask.reasons("income").to_list() == [None, "CHILD", "AGE_UNKNOWN"]


def test_an_unknown_flag_counts_as_the_stricter():
    nulls = pl.DataFrame({name: [None] for name in tables.STATE_SCHEMA}, schema=tables.STATE_SCHEMA)
    mask = tables.mask_table(Gate(POLICY), "care", CALLER, NOW_US, nulls, pl.DataFrame({"income": [1]}))
    assert mask.apply(pl.DataFrame({"income": [1]}), ["income"]).row(0) == (None,)


texts = st.text(st.characters(codec="utf-8"), max_size=6) | st.text("Aa1 \t\n\x7fé\u00a0@.", max_size=8)
ids_of = {
    "customer": texts | st.sampled_from(["x" * 512, "x" * 513, "é" * 300]),
    "email": texts | st.sampled_from(["Jo@Example.org", "jo@bücher.example", "jo@example.org."]),
    "phone": texts | st.sampled_from(["+44 20 7946 0018", "+442079460018"]),
}


@given(
    st.sampled_from(sorted(ids_of)).flatmap(lambda t: st.tuples(st.just(t), st.lists(ids_of[t], max_size=4)))
)
def test_a_column_of_ids_is_read_and_refused_as_its_rows_are(sample):
    id_type, ids = sample
    column = pl.Series("id", ids, pl.String)
    one_at_a_time = told(lambda: [PSEUDONYMS.subject_key(SubjectId(id_type, raw)) for raw in ids])
    assert told(lambda: tables.subject_keys(PSEUDONYMS, id_type, column).to_list()) == one_at_a_time


def told(function):
    try:
        return function()
    except SegserverError as error:
        return error.reason


@given(
    st.lists(
        st.tuples(st.text("abcé", min_size=1), st.just(NO_SALT) | st.binary(min_size=16, max_size=16)),
        max_size=9,
    )
)
def test_a_column_of_ids_is_pseudonymized_as_its_rows_are(sample):
    ids = pl.Series("id", [raw for raw, _ in sample], pl.String)
    salts = pl.Series("salt", [salt for _, salt in sample], pl.Binary)
    keys = tables.subject_keys(PSEUDONYMS, "customer", ids)
    audit = tables.audit_tokens(PSEUDONYMS, keys, salts)
    crm = tables.recipient_tokens(PSEUDONYMS, keys, salts, "crm")
    for number, (raw, salt) in enumerate(sample):
        key = PSEUDONYMS.subject_key(SubjectId("customer", raw))
        assert keys[number] == key
        assert audit[number] == PSEUDONYMS.audit_token(key, salt)
        assert crm[number] == PSEUDONYMS.recipient_token(key, salt, "crm")


def test_a_missing_id_is_refused():
    with pytest.raises(InvalidInput):
        tables.subject_keys(PSEUDONYMS, "customer", pl.Series("id", ["a", None]))
