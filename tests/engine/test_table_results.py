"""A table of subjects gets the results that its rows get one at a time: outcomes, reasons, review marks."""

from __future__ import annotations

import json

import msgspec
import polars as pl
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from rule_generators import NOW, VARIABLES, expressions
from rule_generators import subjects as subject_values
from servers import plugins

from segserver.catalog import resolve
from segserver.engine import population
from segserver.engine.corridor import Sight
from segserver.engine.results import run
from segserver.engine.serving import Serving
from segserver.engine.table_results import run_table
from segserver.errors import CatalogError
from segserver.model import Caller, Role
from segserver.privacy.gate import DAY_US, Gate
from segserver.privacy.keyring import new_keyring
from segserver.privacy.subject import GPC, LIMIT_SENSITIVE, MARKETING, Decision, Profile, Status, SubjectState
from segserver.privacy.vault import Vault
from segserver.storage.catalogs import CatalogRow
from segserver.strategies import hookimpl
from segserver.strategies.api import Attribute, Strategy, Trait

CALLER = Caller("crm", frozenset({Role.EVALUATOR}), frozenset({"marketing", "care"}))
EMPTY = Vault(new_keyring()).create(b"\x01" * 33)
CATEGORIES = ["demographic", "location", "behavioral", "special"]


def classify(text: str) -> str | None:
    if text == "a":
        raise ValueError(text)
    return text if text in ("b", "ab") else None


def halves(numbers: pl.Series) -> pl.Series:
    if (numbers == 7).any():
        raise ValueError
    return numbers.cast(pl.Float64) / 2


def half(number: int) -> float:
    if number == 7:
        raise ValueError
    return number / 2


class Plugin:
    @hookimpl
    def segserver_strategies(self):
        yield Strategy(
            name="code",
            version="1.0.0",
            api=1,
            attributes=[
                Attribute("a", "int", category="demographic"),
                Attribute("s", "string", category="location"),
                Attribute("u", "string", category="demographic"),
            ],
            traits=[
                Trait("kind", "string", reads=["s"], function=classify),
                Trait("half", "double", reads=["a"], function=half, vectorized=halves),
                Trait("both", "string", reads=["s", "u"], function=lambda s, u: classify(s) or classify(u)),
            ],
            segments=[],
        )


INSTALLED = plugins(Plugin())
FIXED = [
    {"id": "kind-b", "rule": 'code.kind == "b"'},
    {"id": "half", "rule": "code.half > 1.0"},
    {"id": "either", "rule": 'code.kind == "b" || code.both == "ab" || p'},
    {"id": "divided", "rule": "10 / a > b", "legal_or_similar_effect": True},
    {"id": "everybody", "rule": "true"},
    {"id": "gold", "rule": "x > 2.0", "exclusive_group": "value", "priority": 1},
    {"id": "silver", "rule": "x > 0.0", "exclusive_group": "value", "priority": 2},
    {"id": "visible", "rule": "known(t) && p", "legal_or_similar_effect": True},
]

decisions = st.sampled_from([Decision(Status.GRANTED, 1, NOW, None, explicit) for explicit in (True, False)])
decisions |= st.builds(
    Decision,
    st.sampled_from([Status.GRANTED, *Status]),
    st.just(1),
    st.sampled_from([NOW, NOW + 1]),
    st.sampled_from([None, None, NOW]),
    st.booleans(),
)
states = st.builds(
    SubjectState,
    consents=st.dictionaries(st.sampled_from(["marketing", "care"]), decisions),
    objections=st.dictionaries(st.sampled_from(["care", MARKETING]), st.just(1), max_size=1),
    signals=st.dictionaries(st.sampled_from([GPC, LIMIT_SENSITIVE]), st.just(1), max_size=1),
    restricted_us=st.sampled_from([None] * 9 + [5]),
    jurisdiction=st.sampled_from(["", "DE", "US-CA"]),
    readable=st.sampled_from([True] * 9 + [False]),
)


@st.composite
def profiles(draw):
    values = {name: value for name, value in draw(subject_values()).items() if value is not None}
    values |= draw(
        st.fixed_dictionaries(
            {},
            optional={
                "age": st.sampled_from([7, 15.5, 40]),
                "birth_date": st.sampled_from([0, NOW - 15 * 365 * DAY_US]),
                "s": st.sampled_from(["a", "b", "ab", "c"]),
                "u": st.sampled_from(["a", "ab"]),
                "a": st.sampled_from([0, 7, 8, 1.5, "from before the catalog changed"]),
            },
        )
    )
    expires = draw(st.dictionaries(st.sampled_from(["a", "s", "birth_date"]), st.just(NOW), max_size=1))
    return Profile(
        values=values, recorded_us=draw(st.sampled_from([NOW, NOW - 10 * DAY_US])), expires=expires
    )


people = st.lists(
    st.builds(lambda profile, state: (profile, state), profiles(), states), min_size=1, max_size=12
).map(
    lambda pairs: [
        replace(EMPTY, subject_key=b"\x01" + number.to_bytes(32), profile=profile, state=state)
        for number, (profile, state) in enumerate(pairs)
    ]
)


@st.composite
def catalogs(draw):
    categories = draw(st.tuples(*[st.sampled_from(CATEGORIES)] * len(VARIABLES)))
    drawn = draw(st.lists(expressions(depth=3), max_size=3))
    document = {
        "purposes": {
            "marketing": {"legal_basis": "consent", "categories": CATEGORIES, "direct_marketing": True},
            "care": {
                "legal_basis": "legitimate_interest",
                "categories": draw(st.sampled_from([CATEGORIES, CATEGORIES[:2]])),
                "profiling": draw(st.booleans()),
            },
        },
        "attributes": {
            name: {"type": kind, "category": category}
            for (name, kind), category in zip(VARIABLES.items(), categories, strict=True)
            if name not in ("a", "s", "u")  # the plugin's
        },
        "strategies": {"code": {}},
        "segments": [
            {**segment, "derives_special": True}
            for segment in [
                *FIXED,
                *({"id": f"drawn-{n}", "rule": rule} for n, rule in enumerate(drawn)),
            ]
        ],
        "policy": {"retention": {"location": "10d"}, "deny_unknown_age": draw(st.booleans())},
    }
    try:
        catalog = resolve({"catalog.yaml": json.dumps(document, ensure_ascii=False)}, INSTALLED)
    except CatalogError:
        reject()  # a drawn rule could make texts beyond every bound
    return Serving(catalog, CatalogRow(1, catalog.digest, 0, "", ""), Gate(catalog.policy))


def one_at_a_time(serving, purpose, wanted, subject):
    plan = serving.plan(purpose)
    current = serving.gate.current(subject.profile, NOW)
    mask = serving.gate.mask(purpose, subject.state, CALLER, NOW, current)
    values, withheld = mask.apply(current, plan.program.inputs)
    plan.drop_mistyped(values)
    sight = Sight(serving, plan, wanted, mask, subject.state, values, withheld, NOW, subject.subject_key, b"")
    return run(sight).results


@settings(max_examples=30)
@given(catalogs(), people, st.sampled_from(["marketing", "care"]), st.data())
def test_a_table_gets_the_results_of_its_rows(serving, subjects, purpose, data):
    plan = serving.plan(purpose)
    assume(plan.program.segments)
    everything = range(len(plan.program.segments))
    wanted = data.draw(
        st.just(list(everything)) | st.sets(st.sampled_from(everything), min_size=1).map(sorted)
    )
    seen = population.see(subjects, serving, CALLER, purpose, NOW, None)
    found = run_table(plan, serving.catalog.bulk(purpose), wanted, seen, NOW)
    assert found.numbers.height == len(subjects)
    for subject, row in zip(subjects, found.numbers.iter_rows(), strict=True):
        expected = one_at_a_time(serving, purpose, wanted, subject)
        assert [msgspec.to_builtins(found.distinct[place]) for place in row] == msgspec.to_builtins(expected)


def test_reasons_tell_forty_attributes_apart():
    names = [f"n{number}" for number in range(40)]
    document = {
        "purposes": {"care": {"legal_basis": "contract", "categories": ["demographic"], "profiling": False}},
        "attributes": {name: {"type": "int", "category": "demographic"} for name in names},
        "segments": [{"id": "sum", "rule": " && ".join(f"{name} > 0" for name in names)}],
    }
    catalog = resolve({"catalog.yaml": json.dumps(document)}, INSTALLED)
    serving = Serving(catalog, CatalogRow(1, catalog.digest, 0, "", ""), Gate(catalog.policy))
    subjects = [
        replace(EMPTY, profile=Profile(values={n: 1 for n in names if n not in lacking}, recorded_us=NOW))
        for lacking in (["n0"], ["n39"], ["n0", "n39"], [], ["n0"], names)
    ]
    seen = population.see(subjects, serving, CALLER, "care", NOW, None)
    found = run_table(serving.plan("care"), catalog.bulk("care"), [0], seen, NOW)
    for subject, (place,) in zip(subjects, found.numbers.iter_rows(), strict=True):
        (expected,) = one_at_a_time(serving, "care", [0], subject)
        assert msgspec.to_builtins(found.distinct[place]) == msgspec.to_builtins(expected)
