"""The kit for plugin teams, on strategies that are right and on each way to be wrong."""

from __future__ import annotations

import datetime as dt
import itertools

import polars as pl
import pytest
from hypothesis import strategies as st

from segserver.errors import InvalidInput
from segserver.model import Outcome
from segserver.strategies.api import Attribute, Function, Segment, Settings, Strategy, Trait
from segserver.strategies.testing import check_strategy, evaluate

MEMBER, NOT_MEMBER, UNKNOWN = Outcome.MEMBER, Outcome.NOT_MEMBER, Outcome.UNKNOWN


class TierSettings(Settings):
    gold: int = 1000


def _traits(settings: TierSettings) -> list[Trait]:
    return [
        Trait("gold", "bool", rule=f"points >= {settings.gold}"),
        Trait("plan", "string", reads=["code"], function=plan, vectorized=plans, values=["basic", "pro"]),
        Trait("since", "timestamp", rule="joined"),
    ]


def plan(code: str) -> str | None:
    return {"B": "basic", "P": "pro"}.get(code[:1])


def plans(codes: pl.Series) -> pl.Series:
    return codes.str.slice(0, 1).replace_strict(
        {"B": "basic", "P": "pro"}, default=None, return_dtype=pl.String()
    )


ATTRIBUTES = [
    Attribute("points", "int", "behavioral"),
    Attribute("code", "string", "behavioral"),
    Attribute("joined", "timestamp", "behavioral"),
]
LOYALTY = Strategy(
    name="loyalty",
    version="1.0.0",
    settings=TierSettings,
    attributes=ATTRIBUTES,
    traits=_traits,
    segments=[
        Segment("loyalty/gold", "loyalty.gold", exclusive_group="tier", priority=1),
        Segment("loyalty/any", "points > 0", exclusive_group="tier", priority=2),
        Segment("loyalty/new", "now - loyalty.since < duration('24h')"),
        Segment("loyalty/gold-pro", "segments.loyalty.gold && loyalty.plan == 'pro'"),
    ],
)
JOINED = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def test_a_sound_strategy_passes():
    check_strategy(LOYALTY)
    check_strategy(LOYALTY, settings={"gold": 5}, inputs={"code": st.sampled_from(["B1", "P2", "?"])})


def test_an_evaluation_gives_every_trait_and_segment():
    now = JOINED + dt.timedelta(hours=1)
    attributes = {"points": 1500, "code": "P1", "joined": JOINED}
    assert evaluate(LOYALTY, attributes, now=now) == {
        "loyalty.gold": True,
        "loyalty.plan": "pro",
        "loyalty.since": JOINED,
        "loyalty/gold": MEMBER,
        "loyalty/any": NOT_MEMBER,
        "loyalty/new": MEMBER,
        "loyalty/gold-pro": MEMBER,
    }
    assert evaluate(LOYALTY, {"points": 1500}, settings={"gold": 2000})["loyalty/any"] == MEMBER
    assert evaluate(LOYALTY, {})["loyalty/gold-pro"] == UNKNOWN


def test_a_strategy_may_build_on_others_and_on_functions():
    above = Strategy(
        name="above",
        version="1",
        traits=[Trait("rich", "bool", rule="loyalty.gold && twice(points) > 10")],
        segments=[Segment("above/rich", "above.rich")],
    )
    twice = Function("twice(int) -> int", lambda n: 2 * n if abs(n) < 2**40 else 0)
    check_strategy(above, others=[LOYALTY], functions=[twice], examples=5)
    answer = evaluate(above, {"points": 5000}, others=[LOYALTY], functions=[twice])
    assert answer == {"above.rich": True, "above/rich": MEMBER}


@pytest.mark.parametrize(
    ("attributes", "message"),
    [({"point": 1}, "declares no such attribute"), ({"points": "1"}, "expected a 64-bit int, got string")],
)
def test_wrong_attributes_are_named(attributes, message):
    with pytest.raises(InvalidInput, match=message):
        evaluate(LOYALTY, attributes)


def strategy(*traits: Trait, segments=(), attributes=ATTRIBUTES, **kwargs) -> Strategy:
    return Strategy(name="s", version="1", attributes=attributes, traits=traits, segments=segments, **kwargs)


def broken(text: str) -> str:
    if text:
        raise ValueError("never seen such a thing")
    return "x"


_ticks = itertools.count()


class Folded(Settings):
    words: tuple[str, ...] = ("B",)

    def model_dump(self, **_):
        return {"words": ["changed"]}


SPECIAL = [*ATTRIBUTES, Attribute("faith", "string", "special")]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (Strategy(name="S", version="1"), "not a lower-case identifier"),
        (strategy(Trait("t", "int")), "give either a rule, or a function"),
        (strategy(Trait("t", "int", rule="points + 'x'")), r"s\.t: 1:8: found no matching overload"),
        (strategy(segments=[Segment("a", "nobody")]), "a: 1:1: undeclared reference to 'nobody'"),
        (
            strategy(Trait("a", "int", rule="s.b"), Trait("b", "int", rule="s.a")),
            r"in a circle: s\.[ab] → s\.[ab] → s\.[ab]",
        ),
        (strategy(Trait("t", "string", reads=["code"], function=broken)), "ValueError"),
        (strategy(Trait("t", "string", reads=["code"], function=lambda c: c, values=["a"])), "InvalidInput"),
        (strategy(Trait("t", "int", reads=["points"], function=lambda _: next(_ticks))), "not deterministic"),
        (
            strategy(Trait("t", "int", reads=["points"], function=lambda n: 1, vectorized=lambda n: n * 0)),
            r"alone and in a table differ: \{'s\.t': \(1, 0\)\}",
        ),
        (
            strategy(
                Trait("t", "int", reads=["points"], function=lambda n: 1, vectorized=lambda n: n.head(0))
            ),
            r"code failed in a table: \{'s\.t': 'InvalidInput'\}",
        ),
        (strategy(settings=Folded), "do not survive"),
        (
            strategy(Trait("t", "string", rule="faith"), attributes=SPECIAL),
            r"s\.t derives a special category; say so",
        ),
        (
            strategy(
                Trait("t", "string", rule="faith", derives_special=True),
                segments=[Segment("a", "s.t == 'x'")],
                attributes=SPECIAL,
            ),
            "a derives a special category; say so",
        ),
    ],
)
def test_each_way_to_break_the_contract_is_found(wrong, message):
    with pytest.raises(AssertionError, match=message):
        check_strategy(wrong)
