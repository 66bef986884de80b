"""The gate over its whole state space: every purpose, every situation, every label."""

from __future__ import annotations

import datetime as dt
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segserver.errors import InvalidInput, NotFound
from segserver.model import Caller, Category, LegalBasis, Role
from segserver.privacy.gate import DAY_US, AgeGroup, Consent, Gate, Situation, adult_before_us, decide
from segserver.privacy.policy import CCPA, GDPR, Label, Policy, Purpose
from segserver.privacy.reasons import Reason
from segserver.privacy.subject import (
    GPC,
    LIMIT_SENSITIVE,
    MARKETING,
    NO_STATE,
    UNREADABLE,
    Decision,
    Profile,
    Status,
    SubjectState,
)

NOW_US = int(dt.datetime(2026, 6, 15, 12, tzinfo=dt.UTC).timestamp()) * 1_000_000
YEAR_US = 366 * DAY_US
CALLER = Caller("crm", frozenset({Role.EVALUATOR}), frozenset({"*"}))
ALL = frozenset(Category)
LABELS = {category.value: Label(category) for category in Category} | {
    "birth_date": Label(Category.DEMOGRAPHIC),
    "only_p0": Label(Category.DEMOGRAPHIC, frozenset({"p0"})),
    "only_elsewhere": Label(Category.DEMOGRAPHIC, frozenset({"elsewhere"})),
}


def _purposes() -> dict[str, Purpose]:
    shapes = product(
        LegalBasis,
        (False, True),
        (False, True),
        (False, True),
        ("", "9(2)(h)"),
        (ALL, ALL - {Category.LOCATION}),
    )
    return {
        f"p{n}": Purpose(
            f"p{n}",
            basis,
            categories,
            direct_marketing=marketing,
            sale_or_sharing=sale,
            profiling=profiling,
            special_condition=condition,
        )
        for n, (basis, marketing, sale, profiling, condition, categories) in enumerate(shapes)
    }


POLICY = Policy(purposes=_purposes(), labels=LABELS, regimes={"US-CA": CCPA})
STRICT_AGE = Policy(purposes=_purposes(), labels=LABELS, regimes={"US-CA": CCPA}, deny_unknown_age=True)
FLAGS = (False, True)
SITUATIONS = [
    Situation(*facts)
    for facts in product(FLAGS, FLAGS, FLAGS, FLAGS, AgeGroup, Consent, FLAGS, FLAGS, ("", "US-CA"))
]


@pytest.fixture(scope="module")
def every_mask():
    """(policy, purpose, situation) → mask, for every combination there is."""
    return {
        (policy is STRICT_AGE, purpose.name, situation): decide(policy, purpose, situation)
        for policy in (POLICY, STRICT_AGE)
        for purpose in list(POLICY.purposes.values())[::7]
        for situation in SITUATIONS
    }


def test_every_attribute_is_visible_or_has_a_reason(every_mask):
    for mask in every_mask.values():
        assert mask.visible.isdisjoint(mask.withheld)
        assert mask.visible | set(mask.withheld) == set(LABELS)


def test_no_path_leads_from_a_no_to_a_visible_value(every_mask):
    for (strict, name, situation), mask in every_mask.items():
        purpose = POLICY.purposes[name]
        regime = POLICY.regime(situation.regime)
        no = (
            not situation.permitted
            or not situation.readable
            or situation.restricted
            or situation.objected
            or situation.consent in (Consent.REFUSED, Consent.WITHDRAWN)
            or (purpose.profiling and situation.age is AgeGroup.CHILD)
            or (purpose.profiling and situation.age is AgeGroup.UNKNOWN and strict)
            or (situation.gpc and regime.honors_gpc and (purpose.direct_marketing or purpose.sale_or_sharing))
            or (purpose.legal_basis is LegalBasis.CONSENT and situation.consent is Consent.EXPIRED)
            or (
                purpose.legal_basis is LegalBasis.CONSENT
                and regime.opt_in
                and situation.consent not in (Consent.GRANTED, Consent.EXPLICIT)
            )
        )
        assert bool(mask.visible) is not no
        assert mask.explicit is (not no and situation.consent is Consent.EXPLICIT)
        for attribute in mask.visible:
            label = LABELS[attribute]
            assert label.category in purpose.categories
            assert label.purposes is None or name in label.purposes
            assert not (situation.limited and label.category in regime.sensitive)
            if label.category is Category.SPECIAL and regime.special_needs_explicit_consent:
                assert situation.consent is Consent.EXPLICIT or purpose.special_condition


def test_a_stricter_fact_never_shows_more(every_mask):
    stricter = [
        lambda s: s._replace(permitted=False),
        lambda s: s._replace(readable=False),
        lambda s: s._replace(restricted=True),
        lambda s: s._replace(objected=True),
        lambda s: s._replace(age=AgeGroup.CHILD),
        lambda s: s._replace(gpc=True),
        lambda s: s._replace(limited=True),
        lambda s: s._replace(regime=""),
        lambda s: s._replace(consent=Consent.WITHDRAWN),
        lambda s: s._replace(consent=Consent.REFUSED),
        lambda s: s._replace(consent=Consent.GRANTED) if s.consent is Consent.EXPLICIT else s,
        lambda s: (
            s._replace(consent=Consent.MISSING) if s.consent in (Consent.EXPLICIT, Consent.GRANTED) else s
        ),
        lambda s: (
            s._replace(consent=Consent.EXPIRED) if s.consent in (Consent.EXPLICIT, Consent.GRANTED) else s
        ),
    ]
    # California's regime hides more than the GDPR's only where a signal or a limit says so.
    for (strict, name, situation), mask in every_mask.items():
        for change in stricter:
            changed = change(situation)
            if changed.regime != situation.regime and (situation.gpc or situation.limited):
                continue
            assert every_mask[strict, name, changed].visible <= mask.visible


def test_the_reason_is_the_first_that_applies(every_mask):
    first = {
        "permitted": Reason.PURPOSE_NOT_PERMITTED,
        "readable": Reason.CONSENT_UNREADABLE,
        "restricted": Reason.RESTRICTED,
        "objected": Reason.OBJECTED,
    }
    for (_, _, situation), mask in every_mask.items():
        for fact, reason in first.items():
            if getattr(situation, fact) is (fact in ("restricted", "objected")):
                assert set(mask.withheld.values()) == {reason}
                break


def test_every_reason_is_reached_and_explained(every_mask):
    reached = {reason for mask in every_mask.values() for reason in mask.withheld.values()}
    assert reached | {Reason.ATTRIBUTE_UNDECLARED} == set(Reason)
    assert all(reason.sentence.endswith(".") for reason in Reason)


def test_a_fresh_install_denies_everything():
    mask = Gate(Policy()).mask("marketing", NO_STATE, CALLER, NOW_US)
    assert mask.apply({"anything": 1}, ("anything",)) == ([None], frozenset({"anything"}))
    assert Purpose("marketing", LegalBasis.CONTRACT, frozenset()).categories == frozenset()


def test_an_undeclared_attribute_is_withheld():
    mask = Gate(POLICY).mask("p10", NO_STATE, CALLER, NOW_US)
    assert mask.reason("undeclared") is Reason.ATTRIBUTE_UNDECLARED
    assert mask.apply({"undeclared": 1}, ("undeclared",)) == ([None], frozenset({"undeclared"}))


def test_a_purpose_must_be_named_and_known():
    with pytest.raises(InvalidInput) as caught:
        POLICY.purpose("")
    assert caught.value.reason == "PURPOSE_MISSING"
    marketing = Policy(purposes={"marketing": Purpose("marketing", LegalBasis.CONSENT, ALL)})
    with pytest.raises(NotFound, match="marketing") as unknown:
        marketing.purpose("marketting")
    assert unknown.value.reason == "PURPOSE_NOT_FOUND"


decisions = st.builds(
    Decision,
    st.sampled_from(Status),
    st.just(1),
    st.sampled_from([NOW_US - 5, NOW_US, NOW_US + 1]),
    st.sampled_from([None, NOW_US - 1, NOW_US, NOW_US + 1]),
    st.booleans(),
)
purpose_names = st.sampled_from([*POLICY.purposes, "unknown"])
states = st.builds(
    SubjectState,
    consents=st.dictionaries(st.sampled_from(["p0", "p5", "p70"]), decisions),
    objections=st.dictionaries(st.sampled_from(["p0", "p5", "p70", MARKETING]), st.just(NOW_US)),
    signals=st.dictionaries(st.sampled_from([GPC, LIMIT_SENSITIVE]), st.just(NOW_US)),
    restricted_us=st.sampled_from([None, None, NOW_US]),
    jurisdiction=st.sampled_from(["", "DE", "US-CA", "US", "unheard-of"]),
    readable=st.sampled_from([True, True, True, False]),
)
births = st.none() | st.integers(NOW_US - 30 * YEAR_US, NOW_US)
attribute_values = st.dictionaries(st.sampled_from([*LABELS, "undeclared"]), st.integers())


@given(st.sampled_from(["p0", "p5", "p70", "unknown"]), states, births, births, attribute_values)
def test_the_gate_is_total_pure_and_shows_only_what_its_mask_shows(purpose, state, born, brought, values):
    gate = Gate(POLICY)
    known = {"birth_date": born} if born is not None else {}
    given_ = {"birth_date": brought} if brought is not None else {}
    mask = gate.mask(purpose, state, CALLER, NOW_US, known, given_)
    assert (gate.mask(purpose, state, CALLER, NOW_US, known, given_) is mask) is (purpose != "unknown")
    assert Gate(POLICY).mask(purpose, state, CALLER, NOW_US, known, given_).withheld == mask.withheld
    inputs = (*LABELS, "undeclared")
    shown, withheld = mask.apply(values, inputs)
    for name, value in zip(inputs, shown, strict=True):
        assert value == (values.get(name) if name in mask.visible else None)
        assert (name in withheld) is (mask.reason(name) is not None)


@given(purpose_names, states, births)
def test_a_withdrawal_hides_what_the_grant_showed(purpose, state, born):
    gate = Gate(POLICY)
    values = {} if born is None else {"birth_date": born}
    withdrawn = SubjectState(
        consents={**state.consents, purpose: Decision(Status.WITHDRAWN, 2, NOW_US)},
        objections=state.objections,
        signals=state.signals,
        restricted_us=state.restricted_us,
        jurisdiction=state.jurisdiction,
    )
    gate.mask(purpose, state, CALLER, NOW_US, values)
    assert gate.mask(purpose, withdrawn, CALLER, NOW_US, values).visible == frozenset()


@given(purpose_names, states, births, births)
def test_what_a_request_brings_never_makes_a_child_an_adult(purpose, state, born, brought):
    gate = Gate(POLICY)
    stored = {} if born is None else {"birth_date": born}
    if gate.situation(purpose, state, CALLER, NOW_US, stored).age is AgeGroup.CHILD:
        given_ = {} if brought is None else {"birth_date": brought, "age": 40}
        assert gate.situation(purpose, state, CALLER, NOW_US, stored, given_).age is AgeGroup.CHILD


def test_a_caller_without_the_purpose_sees_nothing():
    stranger = Caller("crm", frozenset({Role.EVALUATOR}), frozenset({"p71"}))
    mask = Gate(POLICY).mask("p70", NO_STATE, stranger, NOW_US)
    assert set(mask.withheld.values()) == {Reason.PURPOSE_NOT_PERMITTED}


def test_what_cannot_be_read_means_no():
    mask = Gate(POLICY).mask("p70", UNREADABLE, CALLER, NOW_US)
    assert set(mask.withheld.values()) == {Reason.CONSENT_UNREADABLE}


def test_an_objection_to_marketing_beats_every_basis():
    gate = Gate(POLICY)
    for purpose in POLICY.purposes.values():
        mask = gate.mask(purpose.name, SubjectState(objections={MARKETING: 1}), CALLER, NOW_US)
        if purpose.direct_marketing:
            assert set(mask.withheld.values()) == {Reason.OBJECTED}
        else:
            assert Reason.OBJECTED not in mask.withheld.values()


def test_a_consent_ends_at_its_expiry_and_starts_when_given():
    gate = Gate(POLICY)
    state = SubjectState(consents={"p0": Decision(Status.GRANTED, 1, 100, 200)})
    standing = [gate.situation("p0", state, CALLER, now).consent for now in (99, 100, 199, 200)]
    assert standing == [Consent.MISSING, Consent.GRANTED, Consent.GRANTED, Consent.EXPIRED]


@given(
    st.dates(dt.date(1975, 1, 1), dt.date(2060, 12, 31)), st.dates(dt.date(1950, 1, 1), dt.date(2060, 1, 1))
)
def test_an_age_is_counted_in_birthdays(today, born):
    limit = 16
    day = today.toordinal() - dt.date(1970, 1, 1).toordinal()
    born_us = (born.toordinal() - dt.date(1970, 1, 1).toordinal()) * DAY_US
    years = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
    assert (born_us < adult_before_us(day, limit)) is (years >= limit)


def test_regimes_fall_back_to_the_strict_one():
    assert POLICY.regime(POLICY.regime_key("US-CA")) is CCPA
    for jurisdiction in ("", "DE", "US", "US-NY", "nowhere"):
        assert POLICY.regime(POLICY.regime_key(jurisdiction)) is GDPR


@given(
    st.dictionaries(st.sampled_from(["demographic", "financial", "special", "x"]), st.integers()),
    st.dictionaries(st.sampled_from(["demographic", "financial", "special"]), st.integers(0, 100)),
    st.dictionaries(st.sampled_from(["demographic", "x"]), st.integers(0, 200)),
    st.integers(0, 200),
)
def test_expired_values_are_as_if_they_had_never_been_there(values, recorded, expires, now_us):
    retention = {Category.DEMOGRAPHIC: 50, Category.SPECIAL: 10}
    gate = Gate(Policy(labels=LABELS, retention_us=retention))
    profile = Profile(values=values, recorded_us=20, recorded=recorded, expires=expires)
    expected = {
        name: value
        for name, value in values.items()
        if expires.get(name, 10**6) > now_us
        and recorded.get(name, 20) + {"demographic": 50, "special": 10}.get(name, 10**6) > now_us
    }
    assert dict(gate.current(profile, now_us)) == expected
