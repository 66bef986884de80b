"""The catalog's policy: what it says, what stays, what is refused, and that it is part of the meaning."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segserver.catalog import resolve
from segserver.catalog.definitions import duration_us
from segserver.catalog.diff import diff
from segserver.model import Category
from segserver.privacy.policy import CCPA, GDPR
from segserver.strategies.manager import Installed

BASE = """\
purposes:
  ads: {legal_basis: consent, categories: [behavioral]}
attributes:
  visits: {type: int, category: behavioral}
  birth_date: {type: timestamp, category: demographic}
  years: {type: int, category: demographic}
segments:
  - {id: a, rule: visits > 3}
"""
DAY_US = 86_400_000_000


def catalog(policy: str = ""):
    return resolve({"a.yaml": BASE, "policy.yaml": policy}, Installed())


def test_without_one_nothing_expires_and_the_server_knows_the_regimes():
    policy = catalog().policy
    assert policy.retention_us == {}
    assert policy.regime(policy.regime_key("US-CA")) == CCPA
    assert policy.regime(policy.regime_key("DE")) == GDPR
    assert not policy.deny_unknown_age


def test_it_says_retention_regimes_and_what_tells_the_age():
    policy = catalog("""\
policy:
  retention: {behavioral: 365d, location: 36h}
  regimes:
    AT: {child_below_years: 14}
    US-CA: {sensitive: [special]}
    GB-SCT: {opt_in: false}
  deny_unknown_age: true
  age: years
""").policy
    assert policy.retention_us == {Category.BEHAVIORAL: 365 * DAY_US, Category.LOCATION: 36 * DAY_US // 24}
    assert policy.regimes["AT"].child_below_years == 14
    assert policy.regimes["AT"].opt_in
    assert (policy.regimes["US-CA"].opt_in, policy.regimes["US-CA"].sensitive) == (False, {Category.SPECIAL})
    assert (policy.regimes["GB-SCT"].opt_in, policy.regimes["GB-SCT"].child_below_years) == (False, 13)
    assert (policy.deny_unknown_age, policy.age_attribute) == (True, "years")


def test_everything_wrong_is_told_at_once_with_its_line(problems):
    found = problems("""\
        policy:
          retention:
            behavioural: 365d
            location: P1Y
          regimes:
            Germany: {opt_in: true}
            AT: {child_below_years: 12, optin: true}
          birth_date: born
          age: 3
        """)
    assert [place for place, _ in found] == [
        "a.yaml:3 policy.retention.behavioural",
        "a.yaml:4 policy.retention.location",
        "a.yaml:6 policy.regimes.Germany",
        "a.yaml:7 policy.regimes.AT.child_below_years",
        "a.yaml:7 policy.regimes.AT.optin",
        "a.yaml:9 policy.age",
    ]
    messages = dict(found)
    assert "like 365d or 36h" in messages["a.yaml:4 policy.retention.location"]
    assert "like DE or US-CA" in messages["a.yaml:6 policy.regimes.Germany"]
    assert messages["a.yaml:7 policy.regimes.AT.child_below_years"] == "this must be 13 or more"
    assert "opt_in, honors_gpc" in messages["a.yaml:7 policy.regimes.AT.optin"]


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("policy: {birth_date: bornon}", "a.yaml:1 policy.birth_date", "unknown attribute bornon"),
        (
            "attributes: {born: {type: int, category: demographic}}\npolicy: {birth_date: born}",
            "a.yaml:2 policy",
            "must be timestamp",
        ),
        (
            "attributes:\n  birth_date: {type: int, category: demographic}",
            "a.yaml:2 attributes.birth_date",
            "must be timestamp",
        ),
        ("policy: [365d]", "a.yaml:1 policy", "mapping"),
    ],
)
def test_an_age_that_can_not_be_read_is_refused(problems, text, place, message):
    ((found, said),) = problems(text)
    assert found == place
    assert message in said


def test_two_files_do_not_both_define_it(problems):
    ((place, said),) = problems("policy: {age: age}\nstrategies: {people: }", b="policy: {}")
    assert (place, said) == ("b.yaml:1 policy", "defined already at a.yaml:1; rename or remove one of them")


POLICIES = st.fixed_dictionaries(
    {},
    optional={
        "retention": st.dictionaries(
            st.sampled_from([c.value for c in Category]), st.sampled_from(["1d", "36h", "365d"])
        ),
        "regimes": st.dictionaries(
            st.sampled_from(["DE", "US-CA", "BR"]),
            st.fixed_dictionaries(
                {},
                optional={
                    "opt_in": st.booleans(),
                    "child_below_years": st.integers(13, 21),
                    "sensitive": st.lists(st.sampled_from(["special", "location"]), unique=True),
                },
            ),
        ),
        "deny_unknown_age": st.booleans(),
        "age": st.just("years"),
    },
)


@given(POLICIES)
def test_what_is_exported_is_the_same_policy(policy):
    made = catalog(f"policy: {policy!r}".replace("True", "true").replace("False", "false"))
    again = resolve(made.documents, Installed())
    assert (again.policy, again.digest, again.documents) == (made.policy, made.digest, made.documents)


@pytest.mark.parametrize(
    ("policy", "part", "fields"),
    [
        ("retention: {behavioral: 1d}", "retention", ("behavioral",)),
        ("regimes: {AT: {child_below_years: 14}}", "regime of AT", ()),
        ("regimes: {US-CA: {opt_in: true}}", "regime of US-CA", ("opt_in",)),
        ("deny_unknown_age: true", "age", ("deny_unknown_age",)),
        ("age: years", "age", ("age",)),
    ],
)
def test_a_change_is_another_digest_and_is_told(policy, part, fields):
    changed = catalog(f"policy: {{{policy}}}")
    assert changed.digest != catalog().digest
    (change,) = diff(catalog(), changed).others
    assert (change.part, change.name, change.fields) == ("policy", part, fields)


@pytest.mark.parametrize("text", ["", "0d", "1y", "P1D", "1.5d", "-1d", "1000000d", "1d ", "1 d"])
def test_a_duration_is_whole_days_or_hours(text):
    with pytest.raises(ValueError, match="365d"):
        duration_us(text)
