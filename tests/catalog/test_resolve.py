"""From definitions to a catalog: names, types, cycles, settings, and all their problems at once."""

from __future__ import annotations

import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segserver.catalog import resolve
from segserver.errors import CatalogError, NotFound
from segserver.model import Category
from segserver.rules.values import to_rule
from segserver.strategies.api import Attribute, Function, Segment, Settings, Strategy, Trait
from segserver.strategies.manager import load


def outcomes(catalog, purpose, **values):
    """Segment id → whether the subject is a member."""
    program = catalog.program(purpose)
    given = [
        None if values.get(name) is None else to_rule(values[name], catalog.attributes[name].type)
        for name in program.inputs
    ]
    answers = program.python(given, 0, "subject", frozenset(), [])
    return dict(zip(program.segments, answers, strict=True))


WHOLE = """
    attributes:
      visits: {type: int, category: behavioral, title: Visits}
    strategies:
      people: {adult: 21}
    include: ["people/*"]
    exclude: ["*/faithful"]
    segments:
      - id: shop/frequent-adult
        title: Frequent adults
        rule: visits > 10 && people.adult
        owner: growth
        tags: [b, a]
        purposes: [marketing]
      - id: shop/others
        rule: "!segments.shop.frequent_adult && segments.people.adults"
"""


def test_a_catalog_resolves_to_its_nouns(build):
    catalog = build(WHOLE)
    assert list(catalog.attributes) == ["age", "name", "religion", "visits"]
    assert list(catalog.segments) == [
        "people/adults",
        "people/children",
        "shop/frequent-adult",
        "shop/others",
    ]
    segment = catalog.segment("shop/frequent-adult")
    assert segment.variable == "segments.shop.frequent_adult"
    assert (segment.title, segment.owner, segment.tags) == ("Frequent adults", "growth", ("a", "b"))
    assert segment.purposes == {"marketing"}
    assert segment.reads == {"age", "visits"}
    assert segment.inputs == ("people.adult", "visits")
    assert segment.categories == {Category.BEHAVIORAL, Category.DEMOGRAPHIC}
    assert segment.minimum_audience == 100
    assert segment.strategy == ""
    assert catalog.segment("people/adults").strategy == "people"
    assert catalog.strategies["people"].settings == {"adult": 21}
    assert catalog.traits["people.adult"].rule == "age >= 21"
    assert catalog.traits["people.initial"].code == {"people.initial"}
    assert catalog.attributes["age"].owners == ("people",)
    assert catalog.attributes["visits"].owners == ("catalog",)


def test_a_program_answers_for_the_segments_of_its_purpose(build):
    catalog = build(WHOLE)
    program = catalog.program("marketing")
    assert program.segments == ("people/adults", "shop/frequent-adult", "shop/others")
    assert program.inputs == ("age", "visits")
    assert program.reads["shop/others"] == {"age", "visits"}
    assert program.code["shop/others"] == frozenset()
    assert outcomes(catalog, "marketing", age=30, visits=20) == {
        "people/adults": True,
        "shop/frequent-adult": True,
        "shop/others": False,
    }
    assert outcomes(catalog, "marketing", age=20) == {
        "people/adults": False,
        "shop/frequent-adult": False,
        "shop/others": False,
    }
    assert outcomes(catalog, "marketing", visits=1)["shop/others"] is None
    assert catalog.program("marketing") is program


def test_unknown_names_asked_of_a_catalog_bring_near_names(build):
    catalog = build(WHOLE)
    with pytest.raises(NotFound, match="did you mean marketing") as caught:
        catalog.program("marketting")
    assert caught.value.reason == "PURPOSE_NOT_FOUND"
    with pytest.raises(NotFound, match="did you mean shop/others"):
        catalog.segment("shop/other")
    with pytest.raises(NotFound, match="did you mean visits"):
        catalog.attribute("visit")


def test_own_segments_replace_ready_made_ones_of_the_same_id(build):
    catalog = build(
        """
        strategies: {people: }
        include: [people/adults]
        segments:
          - {id: people/adults, rule: age > 50}
        """
    )
    assert catalog.segment("people/adults").rule == "age > 50"
    assert catalog.segment("people/adults").strategy == ""


def test_an_attribute_of_a_strategy_can_be_narrowed(build):
    catalog = build(
        """
        attributes:
          age: {type: int, category: demographic, title: Age in years, purposes: [analytics]}
        strategies: {people: }
        """
    )
    age = catalog.attributes["age"]
    assert (age.title, age.owners, age.purposes) == ("Age in years", ("catalog", "people"), {"analytics"})


def test_an_empty_catalog_is_a_catalog(installed):
    catalog = resolve({}, installed)
    assert list(catalog.segments) == []
    assert resolve(catalog.documents, installed).digest == catalog.digest


RULE_PROBLEMS = [
    (
        "segments:\n  - id: a\n    rule: agee > 5\nattributes:\n  age: {type: int, category: demographic}",
        ("a.yaml:3 segments.a.rule", "undeclared reference to 'agee'; did you mean age?"),
    ),
    (
        "segments:\n  - id: a\n    rule: |\n      true &&\n      1 > 'x'",
        ("a.yaml:5 segments.a.rule", "found no matching overload for '_>_' applied to '(int, string)'"),
    ),
    (
        "segments:\n  - id: a\n    rule: 1 + 1",
        ("a.yaml:3 segments.a.rule", "the rule must be bool, and is int"),
    ),
    (
        "segments:\n  - id: a\n    rule: 1 +",
        ("a.yaml:3 segments.a.rule", "Syntax error: mismatched input '<EOF>'"),
    ),
    (
        "segments:\n  - {id: a/b-c, rule: 'true'}\n  - id: d\n    rule: segments.a.b_d",
        ("a.yaml:4 segments.d.rule", "'segments.a.b_d'; did you mean segments.a.b_c"),
    ),
    (
        "segments:\n  - id: a\n    rule: people.adult",
        (
            "a.yaml:3 segments.a.rule",
            "the strategy people is installed and not in use: add it under strategies",
        ),
    ),
    (
        "strategies: {people: }\nsegments:\n  - id: a\n    rule: people.adlut",
        ("a.yaml:4 segments.a.rule", "undeclared reference to 'people.adlut'; did you mean people.adult"),
    ),
    (
        "strategies: {people: }\nsegments:\n  - id: a\n    rule: segments.people.adults",
        ("a.yaml:4 segments.a.rule", "offers it ready-made: add people/adults to include"),
    ),
    (
        "strategies:\n  poeple: {}",
        (
            "a.yaml:2 strategies.poeple",
            "no plugin offers this strategy; did you mean people?; installed: money, people",
        ),
    ),
    (
        "strategies:\n  people:\n    adult: old",
        ("a.yaml:3 strategies.people.adult", "Input should be a valid integer"),
    ),
    (
        "strategies:\n  people:\n    adlut: 21",
        ("a.yaml:3 strategies.people.adlut", "unknown setting; people has adult; did you mean adult?"),
    ),
    (
        "strategies: {people: }\ninclude:\n  - people/adluts",
        ("a.yaml:3 include.0", "matches 'people/adluts'; did you mean people/adults"),
    ),
    (
        "strategies: {people: }\nattributes:\n  age:\n    type: double\n    category: demographic",
        (
            "a.yaml:4 attributes.age.type",
            "the catalog says double, and strategy people (plugin people_plugin) says int",
        ),
    ),
    (
        "strategies: {people: }\nattributes:\n  people: {type: int, category: demographic}",
        ("a.yaml:3 attributes.people", "a strategy has this name"),
    ),
    (
        "attributes:\n  age: {type: int, category: demographic, values: ['1']}",
        ("a.yaml:2 attributes.age.values", "only a string or a list of string can have values"),
    ),
    (
        "attributes:\n  age:\n    type: int\n    category: demographic\n    purposes: [analytics, markting]",
        ("a.yaml:5 attributes.age.purposes.1", "unknown purpose markting; did you mean marketing?"),
    ),
    (
        "attributes:\n  income:\n    type: int\n    category: financial\n    purposes: [marketing]",
        ("a.yaml:5 attributes.income.purposes.0", "purpose marketing may not use the category financial"),
    ),
    (
        "segments:\n  - {id: a, rule: segments.b}\n  - id: b\n    rule: segments.a",
        ("a.yaml:2 segments.a.rule", "the rules go in a circle: a → b → a"),
    ),
    (
        "segments:\n  - {id: a, rule: segments.a}",
        ("a.yaml:2 segments.a.rule", "the rules go in a circle: a → a"),
    ),
    (
        "segments:\n"
        "  - {id: a, rule: 'true', exclusive_group: g, priority: 1}\n"
        "  - {id: b, rule: 'true', exclusive_group: g, priority: 1}",
        ("a.yaml:3 segments.b.priority", "segments a and b of group g both have priority 1"),
    ),
    (
        "segments:\n"
        "  - {id: a, rule: segments.b, exclusive_group: g, priority: 1}\n"
        "  - {id: b, rule: 'true', exclusive_group: g, priority: 2}",
        ("a.yaml:2 segments.a.rule", "the rules go in a circle: a → b → a"),
    ),
]


@pytest.mark.parametrize(("text", "expected"), RULE_PROBLEMS)
def test_each_problem_is_named_with_its_place(problems, text, expected):
    ((place, message),) = problems(text)
    assert place == expected[0]
    assert expected[1] in message


def test_what_follows_from_a_problem_is_not_a_second_one(problems):
    found = problems(
        """
        attributes:
          age: {type: integer, category: demographic}
        strategies:
          people: {adult: old}
        include: ["people/*"]
        segments:
          - {id: a, rule: age > 5}
          - {id: b, rule: people.adult && religion != ""}
          - {id: c, rule: 5}
          - {id: d, rule: segments.c && segments.b}
        """
    )
    assert [place for place, _ in found] == [
        "a.yaml:3 attributes.age.type",
        "a.yaml:5 strategies.people.adult",
        "a.yaml:10 segments.c.rule",
    ]


def test_ten_problems_are_listed_at_once(problems):
    found = problems(
        """
        attributes:
          age: {type: int, category: demographic, titel: Age}
          visits: {type: int, category: behavioral, purposes: [adverts]}
        strategies:
          moneyy:
        segments:
          - {id: A, rule: "true"}
          - {id: b, rule: visits > }
          - {id: c, rule: visit > 1}
          - {id: d, rule: visits}
          - {id: e, rule: segments.f}
          - {id: f, rule: segments.e}
          - {id: g, rule: "true", purposes: [nothing]}
          - {id: h, rule: "true", minimum_audience: 1}
        """
    )
    assert [place for place, _ in found] == [
        "a.yaml:3 attributes.age.titel",
        "a.yaml:4 attributes.visits.purposes.0",
        "a.yaml:6 strategies.moneyy",
        "a.yaml:8 segments.A.id",
        "a.yaml:9 segments.b.rule",
        "a.yaml:10 segments.c.rule",
        "a.yaml:11 segments.d.rule",
        "a.yaml:12 segments.e.rule",
        "a.yaml:14 segments.g.purposes",
        "a.yaml:15 segments.h.minimum_audience",
    ]


def _installed(*strategies, functions=()):
    from types import SimpleNamespace

    from segserver.strategies import hookimpl

    @hookimpl
    def segserver_strategies():
        return strategies

    @hookimpl
    def segserver_functions():
        return functions

    return load(
        [],
        [
            SimpleNamespace(
                __name__="p",
                segserver_strategies=segserver_strategies,
                segserver_functions=segserver_functions,
            )
        ],
        strict=True,
    )


def failure(installed, text):
    with pytest.raises(CatalogError) as caught:
        resolve({"a.yaml": text}, installed)
    (problem,) = caught.value.problems
    return problem


def test_strategies_that_disagree_on_an_attribute_are_both_named():
    def strategy(name: str, category: str) -> Strategy:
        return Strategy(name=name, version="1", attributes=[Attribute("age", "int", category)])

    installed = _installed(strategy("one", "demographic"), strategy("two", "special"))
    problem = failure(installed, "strategies:\n  one:\n  two:\n")
    assert (problem.line, problem.field) == (3, "strategies.two")
    assert "attribute age is int (special) in strategy two" in problem.message
    assert "int (demographic) in strategy one" in problem.message


def test_strategies_that_offer_one_segment_are_both_named():
    installed = _installed(
        *(Strategy(name=n, version="1", segments=[Segment("a", "true")]) for n in ("one", "two"))
    )
    problem = failure(installed, "strategies:\n  one:\n  two:\ninclude: [a]\n")
    assert "both offer the segment a" in problem.message
    own = "strategies:\n  one:\n  two:\ninclude: [a]\nsegments:\n  - {id: a, rule: 'true'}\n"
    assert resolve({"a.yaml": own}, installed).segment("a").strategy == ""


def test_a_trait_that_does_not_compile_is_a_problem_of_its_strategy():
    installed = _installed(Strategy(name="one", version="1", traits=[Trait("t", "int", rule="1 > 'x'")]))
    problem = failure(installed, "\nstrategies:\n  one:\n")
    assert (problem.line, problem.field) == (3, "strategies.one")
    assert problem.message.startswith("trait one.t: 1:3: found no matching overload")


def test_a_value_that_grows_too_large_from_trait_to_trait_is_refused_where_it_does():
    attributes = [Attribute("name", "string", "demographic")]
    traits = [Trait(f"t{n}", "string", rule=f"one.t{n - 1} + one.t{n - 1}") for n in range(1, 12)]
    first = Trait("t0", "string", rule="name + name")
    installed = _installed(Strategy(name="one", version="1", attributes=attributes, traits=[*traits, first]))
    problem = failure(installed, "strategies:\n  one:\n")
    assert problem.message.startswith(
        "trait one.t8: 1:8: with the longest values, this could make 33,554,432"
    )


def test_settings_that_the_strategy_refuses_are_a_problem_of_the_catalog():
    class Limits(Settings):
        low: int = 1

    def check(settings: Limits) -> None:
        if settings.low > 9:
            raise ValueError("low is above high")

    installed = _installed(Strategy(name="one", version="1", settings=Limits, check=check))
    problem = failure(installed, "strategies:\n  one: {low: 10}\n")
    assert problem.message == "ValueError: low is above high"


def test_traits_read_traits_of_other_strategies(build):
    catalog = build("strategies: {people: , money: }\ninclude: [money/rich]")
    assert catalog.segment("money/rich").reads == {"age", "income"}
    assert catalog.attributes["age"].owners == ("money", "people")
    assert outcomes(catalog, "analytics", age=40, income=200_000.0) == {"money/rich": True}


def test_a_trait_of_a_strategy_that_is_not_in_use_is_named(problems):
    ((place, message),) = problems("strategies: {money: }")
    assert place == "a.yaml:1 strategies.money"
    assert "trait money.rich" in message
    assert "the strategy people is installed and not in use" in message


def test_functions_of_plugins_can_be_called():
    installed = _installed(functions=[Function("twice(int) -> int", lambda n: n * 2)])
    text = """
    purposes: {p: {legal_basis: consent, categories: [behavioral]}}
    attributes: {n: {type: int, category: behavioral}}
    segments:
      - {id: a, rule: twice(n) == 4}
    """
    catalog = resolve({"a.yaml": text}, installed)
    assert outcomes(catalog, "p", n=2) == {"a": True}


def test_a_quarantined_strategy_is_named_with_its_reason():
    from types import SimpleNamespace

    from segserver.strategies import hookimpl

    @hookimpl
    def segserver_strategies():
        raise RuntimeError("no licence")

    installed = load([], [SimpleNamespace(__name__="tech", segserver_strategies=segserver_strategies)])
    problem = failure(installed, "strategies:\n  tech:\n")
    assert "its plugin is in quarantine: plugin tech: RuntimeError: no licence" in problem.message


def test_what_a_missing_strategy_would_bring_makes_no_second_problem(problems):
    source = """
        strategies: {tech: }
        segments:
          - {id: a, rule: user_agent == "x"}
          - {id: b, rule: tech.browser == "x"}
          - {id: c, rule: segments.tech.mobile}
    """
    found = problems(source)
    assert [place for place, _ in found] == ["a.yaml:2 strategies.tech"]


def test_excluding_nothing_is_told(problems):
    found = problems("strategies: {people: }\nexclude: ['poeple/nobody']")
    assert "nothing to exclude" in found[0][1]


def test_endless_problems_are_cut_off(problems):
    rules = "\n".join(f"  - {{id: s{n}, rule: nobody{n}}}" for n in range(700))
    found = problems(f"segments:\n{rules}")
    assert len(found) == 501
    assert found[-1] == (":0", "200 more problems are not listed")


def test_threads_that_ask_at_once_get_one_program(build):
    catalog = build(WHOLE)
    barrier = threading.Barrier(8)

    def ask(_: int) -> object:
        barrier.wait()
        return catalog.program("analytics")

    with ThreadPoolExecutor(8) as pool:
        assert len({id(program) for program in pool.map(ask, range(8))}) == 1


def test_a_catalog_can_not_be_changed(build):
    catalog = build(WHOLE)
    with pytest.raises(TypeError):
        catalog.segments["x"] = catalog.segments["shop/others"]
    with pytest.raises(AttributeError):
        catalog.segments["shop/others"].rule = "true"


SUBJECTS = st.fixed_dictionaries(
    {"age": st.none() | st.integers(0, 99), "visits": st.none() | st.integers(0, 20)}
)


def test_a_table_is_answered_as_each_subject_alone(build):
    catalog = build(WHOLE)
    bulk = catalog.bulk("marketing")
    names = [catalog.segments[segment].variable for segment in bulk.segments]

    @given(st.lists(SUBJECTS, min_size=1, max_size=5))
    def check(subjects):
        schema = {"subject": pl.String(), "age": pl.Int64(), "visits": pl.Int64()}
        frame = pl.DataFrame([{"subject": "s", **subject} for subject in subjects], schema=schema)
        answered = bulk.polars(frame, now=dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
        alone = [tuple(outcomes(catalog, "marketing", **subject).values()) for subject in subjects]
        assert answered.select(names).rows() == alone

    check()
