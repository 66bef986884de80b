"""The population as a table: every subject is seen, and answered for, as it is one at a time."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from servers import Clock

from segserver.catalog import resolve
from segserver.engine import population
from segserver.engine.compare import members
from segserver.engine.serving import Serving
from segserver.model import Caller, Role
from segserver.privacy.gate import DAY_US, Gate
from segserver.privacy.keyring import new_keyring
from segserver.privacy.subject import GPC, LIMIT_SENSITIVE, MARKETING, Decision, Profile, Status, SubjectState
from segserver.privacy.vault import Vault
from segserver.rules.polars import WITHHELD
from segserver.storage.catalogs import CatalogRow
from segserver.strategies.manager import Installed

NOW_US = Clock()()
CALLER = Caller("crm", frozenset({Role.EVALUATOR}), frozenset({"marketing", "care"}))
CATALOG = resolve(
    {
        "catalog.yaml": """
purposes:
  marketing:
    {legal_basis: consent, categories: [demographic, location, special], direct_marketing: true}
  care: {legal_basis: legitimate_interest, categories: [demographic, location], profiling: false}
attributes:
  income: {type: int, category: demographic}
  city: {type: string, category: location}
  tags: {type: list(string), category: demographic}
  faith: {type: string, category: special}
  birth_date: {type: timestamp, category: demographic}
segments:
  - {id: rich, rule: income > 5}
  - {id: berlin, rule: city == "b"}
  - {id: either, rule: income > 5 || city == "b" || "x" in tags}
  - {id: faithful, rule: faith != "", derives_special: true}
  - {id: all, rule: "true"}
policy:
  retention: {location: 10d}
  deny_unknown_age: true
"""
    },
    Installed(),
)
SERVING = Serving(CATALOG, CatalogRow(1, CATALOG.digest, 0, "", ""), Gate(CATALOG.policy))
EMPTY = Vault(new_keyring()).create(b"\x01" * 33)

OTHER_TYPE = "from before the catalog changed"

decisions = st.builds(
    Decision,
    st.sampled_from(Status),
    st.just(1),
    st.sampled_from([NOW_US, NOW_US + 1]),
    st.sampled_from([None, None, NOW_US]),
    st.booleans(),
)
states = st.builds(
    SubjectState,
    consents=st.dictionaries(st.sampled_from(["marketing", "care"]), decisions),
    objections=st.dictionaries(st.sampled_from(["care", MARKETING]), st.just(1), max_size=1),
    signals=st.dictionaries(st.sampled_from([GPC, LIMIT_SENSITIVE]), st.just(1), max_size=1),
    restricted_us=st.sampled_from([None, None, None, 5]),
    jurisdiction=st.sampled_from(["", "DE", "US-CA", "GB"]),
    readable=st.sampled_from([True, True, True, False]),
)
profiles = st.builds(
    Profile,
    values=st.fixed_dictionaries(
        {},
        optional={
            "income": st.integers(0, 9) | st.just(OTHER_TYPE),
            "city": st.sampled_from(["a", "b"]),
            "tags": st.sampled_from([(), ("x",), ("y", "x")]),
            "faith": st.just("f"),
            "birth_date": st.sampled_from([0, NOW_US - 15 * 365 * DAY_US]),
            "gone": st.just(1),
        },
    ),
    recorded_us=st.sampled_from([NOW_US, NOW_US - 10 * DAY_US]),
    expires=st.dictionaries(st.sampled_from(["income", "birth_date"]), st.just(NOW_US), max_size=1),
)
subjects = st.lists(
    st.builds(
        lambda number, profile, state: replace(
            EMPTY, subject_key=b"\x01" + number.to_bytes(32), profile=profile, state=state
        ),
        st.integers(0, 999),
        profiles,
        states,
    ),
    max_size=20,
)


@settings(max_examples=60)
@given(subjects, st.sampled_from(["marketing", "care"]))
def test_every_subject_is_seen_as_it_is_one_at_a_time(subjects, purpose):
    plan = SERVING.plan(purpose)
    frame = population.see(subjects, SERVING, CALLER, purpose, NOW_US, None).frame
    answered = members(SERVING, CALLER, purpose, subjects, NOW_US, None)
    assert frame.height == len(subjects)
    for number, subject in enumerate(subjects):
        current = SERVING.gate.current(subject.profile, NOW_US)
        mask = SERVING.gate.mask(purpose, subject.state, CALLER, NOW_US, current)
        values, withheld = mask.apply(current, plan.program.inputs)
        values = [None if value == OTHER_TYPE else value for value in values]
        assert frame[population.STOPPED][number] is (mask.stopped is not None)
        for name, value in zip(plan.program.inputs, values, strict=True):
            seen = frame[name][number]
            assert (None if seen is None else plain(name, seen)) == value
            assert (name + WITHHELD in frame.columns and frame[name + WITHHELD][number]) is (name in withheld)
        outcomes = plan.program.python(values, NOW_US, subject.subject_key.hex(), withheld, [])
        for segment, outcome in zip(plan.program.segments, outcomes, strict=True):
            assert answered[segment][number] is (mask.stopped is None and outcome is True)


@given(profiles, st.lists(states, min_size=2, max_size=4), st.sampled_from(["marketing", "care"]))
def test_what_is_hidden_never_turns_a_settled_answer_into_the_other(profile, decided, purpose):
    """Whatever a person decides, two answers that are settled agree: hiding more only unsettles."""
    plan = SERVING.plan(purpose)
    current = SERVING.gate.current(profile, NOW_US)
    known = {name: value for name, value in current.items() if not (name == "income" and value == OTHER_TYPE)}
    answers = []
    for state in decided:
        values, withheld = SERVING.gate.mask(purpose, state, CALLER, NOW_US, known).apply(
            known, plan.program.inputs
        )
        answers.append(plan.program.python(values, NOW_US, "aa", withheld, []))
    for outcomes in zip(*answers, strict=True):
        assert len({outcome for outcome in outcomes if outcome in (True, False)}) <= 1


def plain(name: str, value):
    if name == "birth_date":
        return round(value.timestamp() * 1_000_000)
    return tuple(value) if name == "tags" else value


@pytest.mark.parametrize("purpose", ["marketing", "care"])
def test_nobody_is_a_table_too(purpose):
    assert population.see([], SERVING, CALLER, purpose, NOW_US, None).frame.height == 0
