"""The generated Python beside Google's CEL, zen-engine and flagsmith-flag-engine: the same rules, the same
customers.

The rules are data (all or any of some conditions), written in each engine's own language, and every engine's
answers are compared before anything is timed. The other engines can't leave a rule undecided, so they are
timed on complete customers.
"""

from __future__ import annotations

import datetime as dt
import gc
import random
import time
from collections.abc import Callable, Sequence
from typing import Any

import zen
from cel_expr_python import cel
from flag_engine.engine import get_evaluation_result

from segserver.rules import Computed, Environment, PythonProgram, compile_python
from segserver.rules.times import from_datetime

VARIABLES = {
    "age": "int",
    "orders": "int",
    "visits": "int",
    "spend": "double",
    "score": "double",
    "country": "string",
    "city": "string",
    "channel": "string",
    "plan": "string",
    "premium": "bool",
}
NOW = from_datetime(dt.datetime(2026, 6, 1, tzinfo=dt.UTC))
COUNTRIES, CITIES = ["DE", "AT", "CH", "FR", "IT", "US"], ["Berlin", "Wien", "Paris", "Roma"]
CHANNELS, PLANS = ["web", "app", "store"], ["free", "basic", "pro"]

Condition = tuple[str, str, Any]
RuleData = tuple[str, list[Condition]]

RULES: list[RuleData] = [
    ("all", [("age", ">=", 18), ("age", "<", 25)]),
    ("all", [("country", "==", "DE"), ("age", ">=", 18)]),
    ("all", [("country", "in", ["DE", "AT", "CH"])]),
    ("all", [("spend", ">", 1000.0), ("orders", ">=", 3)]),
    ("any", [("premium", "==", True), ("spend", ">", 5000.0)]),
    ("any", [("channel", "==", "web"), ("channel", "==", "app")]),
    ("all", [("score", ">=", 0.8), ("premium", "==", False)]),
    ("all", [("city", "==", "Berlin"), ("spend", ">", 100.0)]),
    ("all", [("orders", "==", 0), ("visits", ">", 10)]),
    ("all", [("country", "!=", "DE"), ("channel", "!=", "store")]),
    ("all", [("visits", ">", 100), ("score", "<", 0.2)]),
    ("all", [("premium", "==", True), ("country", "in", ["US", "FR"]), ("spend", ">=", 250.0)]),
    ("any", [("plan", "==", "pro"), ("score", ">", 0.9)]),
    ("all", [("plan", "==", "free"), ("visits", ">", 30), ("age", "<", 30)]),
    ("all", [("age", ">=", 65)]),
    ("any", [("orders", ">", 15), ("spend", ">", 7000.0), ("visits", ">", 140)]),
    ("all", [("city", "in", ["Paris", "Roma"]), ("channel", "==", "store")]),
    ("all", [("score", ">", 0.25), ("score", "<=", 0.75), ("orders", ">", 2)]),
    ("all", [("plan", "!=", "free"), ("premium", "==", False)]),
    ("all", [("country", "==", "IT"), ("age", ">", 40), ("spend", ">", 2000.0), ("channel", "==", "app")]),
]
_FLAGSMITH = {
    "==": "EQUAL",
    "!=": "NOT_EQUAL",
    ">": "GREATER_THAN",
    ">=": "GREATER_THAN_INCLUSIVE",
    "<": "LESS_THAN",
    "<=": "LESS_THAN_INCLUSIVE",
    "in": "IN",
}


def customers(count: int, missing: float = 0.0) -> list[dict[str, Any]]:
    """So many customers; each value is absent with the given probability."""
    chance = random.Random(20260601)
    found = []
    for _ in range(count):
        customer = {
            "age": chance.randint(12, 90),
            "orders": chance.randint(0, 20),
            "visits": chance.randint(0, 150),
            "spend": round(chance.uniform(0, 8000), 2),
            "score": round(chance.random(), 3),
            "country": chance.choice(COUNTRIES),
            "city": chance.choice(CITIES),
            "channel": chance.choice(CHANNELS),
            "plan": chance.choice(PLANS),
            "premium": chance.random() < 0.3,
        }
        found.append({name: None if chance.random() < missing else value for name, value in customer.items()})
    return found


def many_rules(count: int) -> list[RuleData]:
    """So many different rules of one to four conditions, drawn from the twenty's."""
    chance = random.Random(7)
    conditions = [condition for _, parts in RULES for condition in parts]
    drawn = []
    for _ in range(count):
        name, sign, value = chance.choice(conditions)
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = type(value)(value * chance.uniform(0.5, 2.0))
        rest = chance.sample(conditions, chance.randint(0, 3))
        drawn.append((chance.choice(["all", "all", "any"]), [(name, sign, value), *rest]))
    return drawn


def as_text(rule: RuleData, joints: dict[str, str]) -> str:
    """A rule in CEL or in zen's language, which differ only in their words for and, or."""
    kind, conditions = rule

    def literal(value: Any) -> str:
        if isinstance(value, list):
            return f"[{', '.join(literal(item) for item in value)}]"
        return str(value).lower() if isinstance(value, bool) else repr(value)

    return joints[kind].join(f"{name} {sign} {literal(value)}" for name, sign, value in conditions)


def cel_text(rule: RuleData) -> str:
    """A rule in CEL."""
    return as_text(rule, {"all": " && ", "any": " || "})


def program_of(rules: Sequence[RuleData]) -> PythonProgram:
    """The rules as one generated function."""
    environment = Environment(VARIABLES)
    steps = [
        Computed(f"rule{index}", environment.check(cel_text(rule), "bool"))
        for index, rule in enumerate(rules)
    ]
    return compile_python(steps, list(VARIABLES), [step.name for step in steps])


def ours(rules: Sequence[RuleData], people: Sequence[dict[str, Any]]) -> Callable[[], list[Any]]:
    """Evaluates every customer with the generated function."""
    run, none, failures = program_of(rules).run, frozenset[str](), []
    rows_ = [tuple(person[name] for name in VARIABLES) for person in people]
    return lambda: [run(row, NOW, "subject", none, failures) for row in rows_]


def google(rules: Sequence[RuleData], people: Sequence[dict[str, Any]]) -> Callable[[], list[Any]]:
    """Evaluates every customer with Google's evaluator, one activation for all rules."""
    env = cel.NewEnv(variables={name: getattr(cel.Type, kind.upper()) for name, kind in VARIABLES.items()})
    compiled = [env.compile(cel_text(rule)) for rule in rules]
    known = [{name: value for name, value in person.items() if value is not None} for person in people]

    def evaluate() -> list[Any]:
        answers = []
        for person in known:
            activation = env.Activation(person)
            answers.append(tuple(rule.eval(activation).plain_value() for rule in compiled))
        return answers

    return evaluate


def zen_engine(rules: Sequence[RuleData], people: Sequence[dict[str, Any]]) -> Callable[[], list[Any]]:
    """Evaluates every customer with zen's compiled expressions."""
    compiled = [zen.compile_expression(as_text(rule, {"all": " and ", "any": " or "})) for rule in rules]
    return lambda: [tuple(rule.evaluate(person) for rule in compiled) for person in people]


def flagsmith(rules: Sequence[RuleData], people: Sequence[dict[str, Any]]) -> Callable[[], list[Any]]:
    """Evaluates every customer with Flagsmith's engine, all segments in one context."""

    def condition(part: Condition) -> dict[str, Any]:
        name, sign, value = part
        text = (
            value
            if isinstance(value, list)
            else str(value).lower()
            if isinstance(value, bool)
            else str(value)
        )
        return {"property": name, "operator": _FLAGSMITH[sign], "value": text}

    segments = {
        str(index): {
            "key": str(index),
            "name": str(index),
            "rules": [{"type": kind.upper(), "conditions": [condition(part) for part in parts]}],
        }
        for index, (kind, parts) in enumerate(rules)
    }
    contexts = [
        {
            "environment": {"key": "bench", "name": "bench"},
            "identity": {"identifier": "customer", "key": "customer", "traits": person},
            "segments": segments,
            "features": {},
        }
        for person in people
    ]

    def evaluate() -> list[Any]:
        answers = []
        for context in contexts:
            found = {segment["name"] for segment in get_evaluation_result(context)["segments"]}
            answers.append(tuple(str(index) in found for index in range(len(rules))))
        return answers

    return evaluate


def seconds_each(evaluate: Callable[[], list[Any]], count: int, budget_seconds: float = 1.0) -> float:
    """The best time for one customer, over as many runs as fit into the budget."""
    evaluate()
    best, spent = float("inf"), 0.0
    gc.disable()
    try:
        while spent < budget_seconds:
            start = time.perf_counter()
            evaluate()
            elapsed = time.perf_counter() - start
            best, spent = min(best, elapsed), spent + elapsed
    finally:
        gc.enable()
    return best / count


def rows() -> list[dict[str, Any]]:
    """Microseconds per customer beside each yardstick's; ``ratio`` is the yardstick's time over ours."""
    people = customers(200)
    engines = {"cel-expr-python": google, "zen-engine": zen_engine, "flagsmith-flag-engine": flagsmith}
    evaluate = ours(RULES, people)
    expected = [tuple(bool(value) for value in row) for row in evaluate()]
    mine = seconds_each(evaluate, len(people)) * 1e6
    found = []
    for name, make in engines.items():
        other = make(RULES, people)
        if [tuple(bool(value) for value in row) for row in other()] != expected:
            raise AssertionError(f"{name} answers otherwise")
        theirs = seconds_each(other, len(people)) * 1e6
        found.append(_row("20 rules, one customer", mine, 1.0, name, theirs))
    partial = seconds_each(ours(RULES, customers(200, missing=0.25)), 200) * 1e6
    found.append(_row("20 rules, a quarter of the values missing", partial, 1.0))
    many = many_rules(1000)
    few = customers(50)
    thousand = seconds_each(ours(many, few), len(few)) * 1e6
    theirs = seconds_each(google(many, few), len(few)) * 1e6
    found.append(_row("1,000 segments, one customer", thousand, 50.0, "cel-expr-python", theirs))
    partial = seconds_each(ours(many, customers(50, missing=0.25)), 50) * 1e6
    found.append(_row("1,000 segments, a quarter of the values missing", partial, 50.0))
    start = time.process_time()
    program_of(many)
    found.append(_row("checking and compiling 1,000 segments", (time.process_time() - start) * 1e6, 1e6))
    return found


def _row(
    name: str, value: float, budget: float, yardstick: str = "", yardstick_value: float | None = None
) -> dict[str, Any]:
    return {
        "name": name,
        "value": value,
        "unit": "µs",
        "yardstick": yardstick,
        "yardstick_value": yardstick_value,
        "ratio": None if yardstick_value is None else yardstick_value / value,
        "budget": f"<= {budget:g} µs",
        "ok": value <= budget,
    }
