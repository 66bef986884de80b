"""The steps of a program: what a catalog computes for one subject, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from segserver.errors import InvalidInput
from segserver.rules.check import NOW, Checked

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Computed:
    """A trait or a segment that a rule computes."""

    name: str
    checked: Checked

    @property
    def type(self) -> str:
        """The type of the value."""
        return self.checked.type

    @property
    def reads(self) -> frozenset[str]:
        """The inputs and earlier steps that the rule reads."""
        return self.checked.reads


@dataclass(frozen=True, slots=True)
class Coded:
    """A trait that code computes from ``reads``, in that order.

    ``scalar`` takes values in rule form, none of them unknown, and returns one, or ``None`` when there is no
    value; :func:`segserver.rules.values.adapt` makes one of a function of public values. ``vectorized`` takes
    and returns ``polars.Series`` without nulls.
    """

    name: str
    type: str
    reads: Sequence[str]
    scalar: Callable[..., Any]
    vectorized: Callable[..., pl.Series] | None = None
    isolated: bool = False
    """Whether the code runs in another process. That takes a while: for one subject, whoever runs a program
    computes it ahead and gives it as an input.
    """


Step: TypeAlias = Computed | Coded


def needed(steps: Iterable[Step], inputs: Iterable[str], outputs: Iterable[str]) -> list[Step]:
    """The steps that the outputs depend on, in the order given.

    Raises :class:`InvalidInput` when a step or an output reads a name that is neither an input nor an earlier
    step, or when two have one name.
    """
    known = {*inputs, NOW}
    ordered = list(steps)
    for step in ordered:
        if step.name in known:
            raise InvalidInput.of(step.name, "two values have that name")
        for name in step.reads:
            if name not in known:
                raise InvalidInput.of(step.name, f"reads {name}, which is not computed before it")
        known.add(step.name)
    wanted = set(outputs)
    if not wanted <= known:
        raise InvalidInput.of(min(wanted - known), "not an input and not a step")
    kept = []
    for step in reversed(ordered):
        if step.name in wanted:
            wanted.update(step.reads)
            kept.append(step)
    return kept[::-1]
