"""The kit for people who write strategies: what a strategy gives for some attributes, and whether it keeps
the contract.

Example::

    from segserver.strategies.testing import check_strategy, evaluate

    def test_contract():
        check_strategy(STRATEGY)

    def test_a_point_makes_silver():
        assert evaluate(STRATEGY, {"points": 1}) == {"loyalty.tier": "silver", "loyalty/silver":
        Outcome.MEMBER}
"""

from __future__ import annotations

import datetime as dt
import functools
import graphlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import polars as pl
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.errors import FlakyFailure

from segserver.errors import InvalidInput, RuleError
from segserver.events.definitions import Event
from segserver.events.history import Chunk, History
from segserver.events.program import ComputedProgram, problems
from segserver.model import INT64_MAX, INT64_MIN, Category, Outcome, TypeName, Value, check_value
from segserver.rules import Environment
from segserver.rules.functions import Function
from segserver.rules.polars import compile_polars
from segserver.rules.program import Computed, Step
from segserver.rules.python import compile_python
from segserver.rules.times import from_datetime
from segserver.rules.values import from_rule, to_rule
from segserver.strategies import contract, groups
from segserver.strategies.api import Attribute, Segment, Strategy, Trait
from segserver.strategies.host import DTYPES, Host

NOW = dt.datetime(2026, 6, 15, 12, tzinfo=dt.UTC)
"""The evaluation time of tests that name none."""

T = TypeVar("T")

Happening = tuple[str, dt.datetime, Mapping[str, Value]]
"""An event of the subject: its name, when, and its properties."""

Answer = dict[str, Value | Outcome | None]
"""``strategy.trait`` → its value, ``None`` when unknown; segment id → its outcome."""

_OUTCOMES = {True: Outcome.MEMBER, False: Outcome.NOT_MEMBER, None: Outcome.UNKNOWN}


def evaluate(
    strategy: Strategy,
    attributes: Mapping[str, Value],
    *,
    now: dt.datetime = NOW,
    settings: Mapping[str, Any] | None = None,
    others: Sequence[Strategy] = (),
    functions: Sequence[Function] = (),
    events: Sequence[Happening] | None = None,
) -> Answer:
    """All traits and ready-made segments of the strategy for one subject.

    ``attributes`` may also give computed attributes; the others are computed of ``events``, the whole of what
    the subject did, or unknown without. ``others`` are strategies whose traits it reads. Raises
    :class:`InvalidInput` for an attribute or event that none of them declares, a value of the wrong type, or
    a strategy that breaks its contract; what its code raises makes a trait ``None``.
    """
    return Bench(strategy, settings, others, functions).evaluate(attributes, now, events)


def check_strategy(
    strategy: Strategy,
    *,
    settings: Mapping[str, Any] | None = None,
    others: Sequence[Strategy] = (),
    functions: Sequence[Function] = (),
    inputs: Mapping[str, st.SearchStrategy[Any]] | None = None,
    examples: int = 50,
) -> None:
    """Raises :class:`AssertionError` with what breaks the contract of :mod:`segserver.strategies.api`.

    Names, types, settings and rules are checked as they are when the strategy is loaded and compiled; then
    generated subjects show that its code is total, deterministic, within its declared values, and the same
    for one subject as for a table. ``inputs`` replaces the generated values of an attribute (attribute name
    → hypothesis strategy).
    """
    found = contract.problems(strategy)
    assert not found, "; ".join(found)  # noqa: S101 - it speaks to a test
    try:
        bench = Bench(strategy, settings, others, functions)
    except InvalidInput as error:
        raise AssertionError(str(error)) from error
    bench.check_settings()
    bench.check_special()
    given_values = {
        a.name: st.none() | (inputs or {}).get(a.name, values_of(a)) for a in bench.attributes.values()
    }

    # What fails is named with its row, so that shrinking would cost time and tell nothing.
    @hypothesis_settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(st.fixed_dictionaries(given_values), min_size=1, max_size=8))
    def run(rows: list[dict[str, Any]]) -> None:
        bench.check_rows(rows)

    try:
        run()
    except FlakyFailure as error:
        raise AssertionError(f"not deterministic: {error.exceptions[0]}") from error


def values_of(attribute: Attribute) -> st.SearchStrategy[Any]:
    """Generates values that the attribute can have."""
    texts = st.sampled_from(list(attribute.values)) if attribute.values else st.text(max_size=40)
    return {
        "bool": st.booleans(),
        "int": st.integers(-10, 1_000) | st.integers(INT64_MIN, INT64_MAX),
        "double": st.floats(-1e6, 1e6) | st.floats(allow_nan=False, allow_infinity=False),
        "string": texts,
        "timestamp": st.datetimes(
            dt.datetime(1890, 1, 1), dt.datetime(2090, 1, 1), timezones=st.just(dt.UTC)
        ),
        "list(string)": st.lists(texts, max_size=5).map(tuple),
    }[attribute.type]


def _behavior(
    everyone: Sequence[contract.ResolvedStrategy], events: Mapping[str, Event], functions: Sequence[Function]
) -> ComputedProgram:
    """The computed attributes of strategies. Raises :class:`InvalidInput` with what is wrong with them."""
    computed = {definition.name: definition for resolved in everyone for definition in resolved.computed}
    found = [
        f"computed {name}: {field}: {message}"
        for name, definition in computed.items()
        for field, message in problems(definition, events, functions)
    ]
    if found:
        raise InvalidInput("; ".join(found))
    return ComputedProgram(computed, events, functions)


class Bench:
    """One strategy, with those it builds on, compiled by itself. Raises :class:`InvalidInput` when it can't
    be."""

    def __init__(
        self,
        strategy: Strategy,
        settings: Mapping[str, Any] | None = None,
        others: Sequence[Strategy] = (),
        functions: Sequence[Function] = (),
    ) -> None:
        self.host = Host()
        self.resolved = contract.resolve(strategy, settings)
        everyone = [self.resolved, *(contract.resolve(other) for other in others)]
        self.attributes = {a.name: a for resolved in everyone for a in resolved.strategy.attributes}
        self._events = {event.name: event for resolved in everyone for event in resolved.events}
        self._behavior = _behavior(everyone, self._events, functions)
        self.attributes |= {
            definition.name: Attribute(
                definition.name, self._behavior.types[definition.name], definition.category
            )
            for resolved in everyone
            for definition in resolved.computed
        }
        self._traits = {f"{r.name}.{trait.name}": trait for r in everyone for trait in r.traits}
        self._segments = {contract.variable_of(s.id): s for r in everyone for s in r.segments}
        self._functions = [self.host.function(function) for function in functions]
        self._types: dict[str, TypeName] = {name: a.type for name, a in self.attributes.items()}
        self._steps = self._ordered()
        own = [f"{self.resolved.name}.{trait.name}" for trait in self.resolved.traits]
        self._outputs = (*own, *(contract.variable_of(segment.id) for segment in self.resolved.segments))
        self._python = compile_python(self._steps, tuple(self.attributes), self._outputs)

    @functools.cached_property
    def _polars(self) -> Any:
        return compile_polars(self._steps, self._types, self._outputs)

    def evaluate(
        self, attributes: Mapping[str, Value], now: dt.datetime, events: Sequence[Happening] | None = None
    ) -> Answer:
        """The answer for one subject."""
        for name in attributes:
            if name not in self.attributes:
                raise InvalidInput.of(name, "the strategy declares no such attribute")
        known = {} if events is None else self._computed_of(events, now)
        for name, value in attributes.items():
            known[name] = to_rule(check_value(name, value, self._types[name]), self._types[name])
        values = [known.get(name) for name in self._types]
        answers = self._python(values, from_datetime(now), "subject", frozenset(), [])
        return {
            self._shown(name): self._public(name, answer)
            for name, answer in zip(self._outputs, answers, strict=True)
        }

    def _computed_of(self, events: Sequence[Happening], now: dt.datetime) -> dict[str, Any]:
        """The computed attributes in rule form."""
        by_name: dict[str, list[tuple[int, int, Mapping[str, Any]]]] = defaultdict(list)
        for number, (name, time, properties) in enumerate(events):
            if name not in self._events:
                raise InvalidInput.of(name, "the strategy declares no such event")
            types = {key: prop.type for key, prop in self._events[name].properties.items()}
            in_rule_form = {
                key: to_rule(check_value(key, value, types[key]), types[key])
                for key, value in properties.items()
            }
            by_name[name].append((from_datetime(time), number, in_rule_form))
        histories = {name: History.of(Chunk.of(found)) for name, found in by_name.items()}
        return self._behavior.evaluate(self._behavior.types, histories, from_datetime(now))

    def table(self, rows: Sequence[Mapping[str, Value | None]], now: dt.datetime) -> list[Answer]:
        """The answers for a table, one row a subject."""
        columns = {
            name: pl.Series(name, [row.get(name) for row in rows], dtype=DTYPES[t], strict=True)
            for name, t in self._types.items()
        }
        frame = pl.DataFrame({"subject": ["subject"] * len(rows), **columns})
        answered = self._polars(frame, now=now).select(self._outputs)
        return [
            {self._shown(name): self._of_polars(name, value) for name, value in row.items()}
            for row in answered.iter_rows(named=True)
        ]

    def check_settings(self) -> None:
        """The settings survive being written as JSON, which is how a catalog keeps them."""
        settings = self.resolved.settings
        again = type(settings).model_validate(settings.model_dump(mode="json"))
        assert again == settings, "the settings do not survive model_dump(mode='json')"  # noqa: S101

    def check_special(self) -> None:
        """What depends on a special category says so."""
        special = {name for name, a in self.attributes.items() if a.category == Category.SPECIAL}
        for step in self._steps:
            noun: Trait | Segment | None = self._traits.get(step.name)
            noun = noun or self._segments.get(groups.segment_of(step.name))
            if special.intersection(step.reads) or (noun is not None and noun.derives_special):
                special.add(step.name)
                assert noun is None or noun.derives_special, (  # noqa: S101
                    f"{self._shown(step.name)} derives a special category; say so with derives_special=True"
                )

    def check_rows(self, rows: Sequence[Mapping[str, Value | None]]) -> None:
        """Code is total and within its values, and gives the same again, alone and in a table."""
        alone = []
        for row in rows:
            known = {name: value for name, value in row.items() if value is not None}
            alone.append(self._total(f"for {known}", functools.partial(self.evaluate, known, NOW)))
            assert alone[-1] == self.evaluate(known, NOW), f"not deterministic for {known}"  # noqa: S101
        table = self._total("in a table", lambda: self.table(rows, NOW))
        for row, one, other in zip(rows, alone, table, strict=True):
            differing = {name: (one[name], other[name]) for name in one if one[name] != other[name]}
            assert not differing, f"alone and in a table differ: {differing} for {row}"  # noqa: S101

    def _total(self, where: str, run: Callable[[], T]) -> T:
        before = self.host.failures
        result = run()
        failed = {name: f.last for name, f in self.host.failures.items() if before.get(name) != f}
        assert not failed, f"code failed {where}: {failed}"  # noqa: S101
        return result

    def _ordered(self) -> list[Step]:
        """Traits and segments, groups compiled in, each after what it reads."""
        variables = self._types | {name: trait.type for name, trait in self._traits.items()}
        environment = Environment(variables | dict.fromkeys(self._segments, "bool"), self._functions)
        steps: dict[str, Step] = {}
        for name, trait in self._traits.items():
            if trait.rule:
                steps[name] = self._computed(environment, name, trait.rule, trait.type)
            else:
                steps[name] = self.host.coded(name, trait, self._types)
        members: dict[str, list[tuple[int, Computed]]] = defaultdict(list)
        for name, segment in self._segments.items():
            computed = self._computed(environment, name, segment.rule, "bool")
            if segment.exclusive_group:
                members[segment.exclusive_group].append((segment.priority, computed))
            else:
                steps[name] = computed
        for group in members.values():
            group.sort(key=lambda member: (member[0], member[1].name))
            compiled = groups.steps([(computed.name, computed.checked) for _, computed in group])
            steps |= {name: Computed(name, checked) for name, checked in compiled}
        reads = {name: [read for read in step.reads if read in steps] for name, step in steps.items()}
        try:
            return [steps[name] for name in graphlib.TopologicalSorter(reads).static_order()]
        except graphlib.CycleError as error:
            path = " → ".join(map(str, reversed(error.args[1])))
            raise InvalidInput(f"the rules go in a circle: {path}") from None

    def _computed(self, environment: Environment, name: str, rule: str, expected: str) -> Computed:
        try:
            return Computed(name, environment.check(rule, expected))
        except RuleError as error:
            raise InvalidInput(f"{self._shown(name)}: {error.message}") from error

    def _shown(self, name: str) -> str:
        segment = self._segments.get(groups.segment_of(name))
        return segment.id if segment else name

    def _public(self, name: str, answer: Any) -> Value | Outcome | None:
        if name in self._segments:
            return _OUTCOMES[answer]
        value: Value | None = from_rule(answer, self._traits[name].type)
        return value

    def _of_polars(self, name: str, value: Any) -> Value | Outcome | None:
        if name in self._segments:
            return _OUTCOMES[value]
        return tuple(value) if isinstance(value, list) else value
