"""Says why a subject is or is not in a segment: the rule as a tree, and what would have to change."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from segserver.audit.entry import Kind, Outcomes
from segserver.catalog import Catalog, Segment
from segserver.catalog.graph import closure
from segserver.engine.answers import SegmentResult, new_evaluation_id
from segserver.engine.corridor import Corridor, Question, Sight
from segserver.engine.evaluate import evaluation_entry
from segserver.engine.isolated import Derived, derive
from segserver.engine.results import run
from segserver.model import Caller, Outcome
from segserver.rules import Computed
from segserver.rules.change import smallest_change
from segserver.rules.text import double_text
from segserver.rules.times import duration_text, from_datetime, timestamp_text
from segserver.rules.trace import Trace, trace
from segserver.rules.values import from_rule
from segserver.storage.writer import Writer
from segserver.strategies.groups import own_rule

DEFINITION_DEPTH_MAX = 56
"""Definitions below this level of the tree are left out: ask for an explanation of that segment. With the
levels of one rule, of which CEL allows 32, a reply stays within the 100 that protobuf reads.
"""


@dataclass(frozen=True, slots=True)
class Node:
    """One node of the explanation. ``value`` is text and may be personal data; ``definition_of`` names the
    trait or segment whose definition this node is."""

    expression: str
    is_condition: bool
    truth: bool | None
    value: str
    unknown_attributes: tuple[str, ...]
    line: int
    column: int
    definition_of: str
    children: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that would have to change: what it comes to now, and what it would have to come to."""

    expression: str
    truth: bool | None
    needed: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why. ``time_us`` is microseconds since the epoch, UTC."""

    evaluation_id: str
    time_us: int
    catalog_digest: str
    subject_token: str
    result: SegmentResult
    rule: str
    tree: Node
    smallest_change: tuple[Condition, ...]


class Explainer:
    """Explains one segment for one subject, with nothing before the program that an evaluation does not do as
    well.
    """

    def __init__(self, corridor: Corridor, writer: Writer, now_us: Callable[[], int]) -> None:
        self._corridor = corridor
        self._writer = writer
        self._now_us = now_us

    async def explain(self, caller: Caller, question: Question) -> Explanation:
        """The explanation for the question's one segment. Raises what an evaluation raises."""
        sight = await self._corridor.sight(caller, question)
        catalog = sight.serving.catalog
        segment = catalog.segment(question.segments[0])
        (derived,) = await derive([sight])
        found = run(sight, derived)
        (result,) = found.results
        root, definitions = await asyncio.to_thread(_traces, catalog, segment, sight, derived)
        if sight.mask.stopped is not None:
            root = replace(root, value=None)
        time_us = self._now_us()
        explanation = Explanation(
            evaluation_id=new_evaluation_id(time_us),
            time_us=sight.at_us,
            catalog_digest=catalog.digest,
            subject_token=self._corridor.recipient_token(sight, caller),
            result=result,
            rule=segment.rule,
            tree=_Tree(catalog, sight, definitions).node(root, segment.variable),
            smallest_change=()
            if sight.mask.stopped is not None
            else tuple(
                Condition(condition.text, condition.now, condition.wanted)
                for condition in smallest_change(root)
            ),
        )
        outcomes = _outcomes(result)
        entry = evaluation_entry(
            self._corridor,
            Kind.EXPLAIN,
            caller,
            question,
            sight,
            found,
            explanation.evaluation_id,
            time_us,
            outcomes,
        )
        await self._writer.write(None, (entry,))
        return explanation


def _traces(
    catalog: Catalog, segment: Segment, sight: Sight, derived: Derived
) -> tuple[Trace, Mapping[str, Trace]]:
    """The trace of the segment, and that of every trait and segment that it refers to, by variable."""
    names = sight.plan.program.inputs
    values: dict[str, Any] = dict(zip(names, sight.values, strict=True))
    if derived.values:
        isolated = [step.name for step in sight.plan.program.isolated]
        values |= zip(isolated, derived.values, strict=True)
    wanted = closure(catalog.steps.reads, [segment.variable])
    traces: dict[str, Trace] = {}
    for step in catalog.steps.ordered:
        if step.name not in wanted:
            continue
        if isinstance(step, Computed):
            traces[step.name] = trace(
                step.checked,
                values,
                sight.at_us,
                sight.subject_key.hex(),
                sight.withheld,
                catalog.steps.origins,
            )
            values[step.name] = traces[step.name].value
        elif step.name not in values:
            values[step.name] = _coded(step.scalar, [values[name] for name in step.reads])
    definitions = {
        item.variable: _grouped(catalog, item, traces)
        for item in catalog.segments.values()
        if item.variable in traces
    }
    definitions |= {name: found for name, found in traces.items() if name in catalog.traits}
    return definitions[segment.variable], definitions


def _outcomes(result: SegmentResult) -> Outcomes:
    def when(outcome: Outcome) -> tuple[str, ...]:
        return (result.segment,) if result.outcome is outcome else ()

    return Outcomes(
        member=when(Outcome.MEMBER),
        not_member=when(Outcome.NOT_MEMBER),
        unknown=when(Outcome.UNKNOWN),
        withheld=when(Outcome.WITHHELD),
    )


def _coded(scalar: Callable[..., Any], arguments: list[Any]) -> Any:
    """What the code of a trait comes to; ``None`` when it fails, as in an evaluation."""
    if any(argument is None for argument in arguments):
        return None
    try:
        return scalar(*arguments)
    except Exception:
        return None


def _grouped(catalog: Catalog, segment: Segment, traces: Mapping[str, Trace]) -> Trace:
    """The trace of a segment; in an exclusive group, of its own rule and of none of those ahead holding."""
    whole = traces[segment.variable]
    own = traces.get(own_rule(segment.variable))
    if own is None:
        return whole
    parts = [own]
    for name in segment.ahead:
        variable = catalog.segments[name].variable
        ahead = traces[own_rule(variable)]
        holds = _variable(variable, ahead)
        value = None if ahead.value is None else not ahead.value
        parts.append(Trace(f"!{variable}", 1, 1, "bool", "!_", value, ahead.missing, (holds,)))
    text = " && ".join(
        [f"({own.text})" if own.function == "_||_" else own.text, *(part.text for part in parts[1:])]
    )
    missing = frozenset().union(*(part.missing for part in parts))
    return Trace(text, 1, 1, "bool", "_&&_", whole.value, missing, tuple(parts)) if segment.ahead else own


def _variable(name: str, of: Trace) -> Trace:
    return Trace(name, 1, 1, "bool", "", of.value, of.missing, ())


class _Tree:
    """Turns traces into nodes; each definition is shown once, where it is first met, unless that is too
    deep.
    """

    def __init__(self, catalog: Catalog, sight: Sight, definitions: Mapping[str, Trace]) -> None:
        self._catalog = catalog
        self._definitions = definitions
        self._unknown = {
            name for name, value in zip(sight.plan.program.inputs, sight.values, strict=True) if value is None
        }
        self._reads = {segment.variable: segment.reads for segment in catalog.segments.values()}
        self._shown: set[str] = set()

    def node(self, item: Trace, definition_of: str = "", depth: int = 1) -> Node:
        self._shown.add(definition_of)
        children = [self.node(part, depth=depth + 1) for part in item.parts]
        definition = self._definitions.get(item.text) if depth < DEFINITION_DEPTH_MAX else None
        if definition is not None and not item.parts and item.text not in self._shown:
            children.append(self.node(definition, item.text, depth + 1))
        return Node(
            expression=item.text,
            is_condition=item.type == "bool",
            truth=item.value if item.type == "bool" else None,
            value=_text(from_rule(item.value, item.type)),
            unknown_attributes=tuple(sorted(self._attributes(item))),
            line=item.line,
            column=item.column,
            definition_of=definition_of,
            children=tuple(children),
        )

    def _attributes(self, item: Trace) -> set[str]:
        """The attributes without a visible value below a node, through traits and segments."""
        found: set[str] = set()
        for name in item.missing:
            trait = self._catalog.traits.get(name)
            reads = trait.reads if trait else self._reads.get(name, frozenset({name}))
            found |= reads & self._unknown
        return found


def _text(value: Any) -> str:
    """A value for people, a number or a time as rules write it; empty for an unknown one."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime):
        return timestamp_text(from_datetime(value))
    if isinstance(value, dt.timedelta):
        return duration_text(round(value / dt.timedelta(microseconds=1)))
    if isinstance(value, float):
        return double_text(value)
    if isinstance(value, tuple):
        return ", ".join(_text(item) for item in value)
    return str(value)
