"""Traits whose code runs in a plugin host process, computed ahead of the program that reads them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from segserver.engine.corridor import Asked, Sight
from segserver.engine.serving import Plan
from segserver.errors import SegserverError
from segserver.strategies.isolation import messages, traits
from segserver.strategies.isolation.traits import FAILED, IsolatedTrait


class Derived(NamedTuple):
    """What the isolated traits of a program come to for one subject."""

    values: Sequence[Any]
    """In the order of the program's ``isolated``; ``None`` where unknown."""
    failed: Sequence[str]
    """The traits whose code failed."""


NOTHING = Derived((), ())
"""Of a program without isolated traits."""


def processes(asked: Asked) -> frozenset[str]:
    """The distributions whose plugin host processes the answer waits for."""
    plan = asked.serving.plan(asked.question.purpose)
    if not plan.program.isolated:
        return frozenset()
    return frozenset(
        trait.supervisor.distribution for trait in _needed(plan, asked.wanted) if trait is not None
    )


async def derive(sights: Sequence[Sight | SegserverError]) -> list[Derived]:
    """The values for each, in order. Each distinct input is asked for once, and none that is not all visible;
    a program without isolated traits waits for nothing."""
    wanted: dict[IsolatedTrait, dict[bytes, None]] = defaultdict(dict)
    rows = [_rows(sight) for sight in sights]
    for row in rows:
        for trait, inputs in row:
            if trait is not None and inputs is not None:
                wanted[trait][inputs] = None
    if not wanted:
        return [Derived([None] * len(row), ()) if row else NOTHING for row in rows]
    found = await traits.ask({trait: list(inputs) for trait, inputs in wanted.items()})
    return [_derived(row, found) for row in rows]


Row = Sequence[tuple[IsolatedTrait | None, bytes | None]]
"""For each isolated trait of a program: itself where it is needed, and its inputs where all are visible."""


def _rows(sight: Sight | SegserverError) -> Row:
    if isinstance(sight, SegserverError) or not sight.plan.program.isolated:
        return ()
    needed = _needed(sight.plan, sight.wanted)
    if sight.mask.stopped is not None:
        return [(trait, None) for trait in needed]
    index, values = sight.plan.input_index, sight.values
    row: list[tuple[IsolatedTrait | None, bytes | None]] = []
    for step, trait in zip(sight.plan.program.isolated, needed, strict=True):
        inputs = [values[index[name]] for name in step.reads] if trait is not None else [None]
        row.append((trait, None if None in inputs else messages.row(inputs)))
    return row


def _needed(plan: Plan, wanted: Sequence[int]) -> list[IsolatedTrait | None]:
    program = plan.program
    names = frozenset().union(*(program.code[program.segments[number]] for number in wanted))
    return [cast(IsolatedTrait, step.scalar) if step.name in names else None for step in program.isolated]


def _derived(row: Row, found: dict[IsolatedTrait, dict[bytes, Any]]) -> Derived:
    values = []
    failed = []
    for trait, inputs in row:
        value = None if trait is None or inputs is None else found[trait][inputs]
        if value is FAILED and trait is not None:
            failed.append(trait.name)
            value = None
        values.append(value)
    return Derived(values, failed)
