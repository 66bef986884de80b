"""The catalog that serves, with all that is prepared once for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

from segserver.catalog import Catalog, Program
from segserver.engine.answers import SegmentResult
from segserver.engine.behavior import Needs
from segserver.errors import InvalidInput
from segserver.model import Outcome
from segserver.privacy.gate import Gate, Mask
from segserver.storage.catalogs import CatalogRow

Settled: TypeAlias = tuple[SegmentResult, SegmentResult]

UnsettledKey: TypeAlias = tuple[int, Mask, tuple[str, ...], tuple[str, ...]]
"""The segment's number, the mask, the missing attributes, the traits whose code failed."""

UNSETTLED_KEPT_MAX = 65_536

VALUE_CLASSES: Mapping[str, type] = {
    "bool": bool,
    "int": int,
    "double": float,
    "string": str,
    "timestamp": int,
    "list(string)": tuple,
}
"""Of a value in rule form, by the type of its attribute."""


class Plan:
    """A purpose's program, with the answers that never change prepared: most results are one of two for a
    segment.
    """

    def __init__(self, catalog: Catalog, purpose: str) -> None:
        self.program: Program = catalog.program(purpose)
        self.legal_basis: str = catalog.purpose(purpose).legal_basis.value
        self.strategies: Mapping[str, str] = {
            strategy.name: strategy.version for strategy in catalog.strategies.values()
        }
        """Their versions, for the log."""
        self.needs = Needs(catalog, self.program.inputs)
        self.index: Mapping[str, int] = {
            segment: number for number, segment in enumerate(self.program.segments)
        }
        self._classes = [VALUE_CLASSES[catalog.input_types[name]] for name in self.program.inputs]
        self.input_index: Mapping[str, int] = {
            name: number for number, name in enumerate(self.program.inputs)
        }
        self.review = frozenset(
            segment for segment in self.program.segments if catalog.segments[segment].legal_or_similar_effect
        )
        self._settled = {explicit: self._make_settled(explicit=explicit) for explicit in (False, True)}
        self.unsettled: dict[UnsettledKey, SegmentResult] = {}
        """Results of subjects that lack the same attributes, made before."""
        self._withheld: dict[Mask, Mapping[str, str]] = {}
        self._reasons: dict[Mask, Sequence[str]] = {}
        self._stopped: dict[Mask, Sequence[SegmentResult]] = {}
        self._by_reason: dict[Mask, Mapping[str, tuple[str, ...]]] = {}

    def settled(self, *, explicit: bool) -> Sequence[Settled]:
        """For each segment the result of anybody who is no member, and that of a member: an outcome of the
        program, a bool, is where to look. ``explicit``: whether explicit consent is in force."""
        return self._settled[explicit]

    def drop_mistyped(self, values: list[Any]) -> None:
        """Takes out values, in the order of the inputs, that are of another type than the catalog's: they
        were stored before it changed, and count as missing."""
        for number, (value, expected) in enumerate(zip(values, self._classes, strict=True)):
            if value is not None and value.__class__ is not expected:
                values[number] = None

    def remember(self, key: UnsettledKey, result: SegmentResult) -> None:
        """Keeps an unsettled result for the next subject that lacks the same."""
        if len(self.unsettled) >= UNSETTLED_KEPT_MAX:
            self.unsettled.clear()
        self.unsettled[key] = result

    def read_by(self, wanted: Sequence[int]) -> frozenset[str] | None:
        """The attributes that the wanted segments depend on; ``None`` for all inputs."""
        program = self.program
        if len(wanted) == len(program.segments):
            return None
        return frozenset().union(*(program.reads[program.segments[number]] for number in wanted))

    def _make_settled(self, *, explicit: bool) -> Sequence[Settled]:
        def make(segment: str, outcome: Outcome) -> SegmentResult:
            return SegmentResult(segment, outcome, human_review=segment in self.review and not explicit)

        return [
            (make(segment, Outcome.NOT_MEMBER), make(segment, Outcome.MEMBER))
            for segment in self.program.segments
        ]

    def withheld(self, mask: Mask) -> Mapping[str, str]:
        """The program's inputs that a mask hides, each with its reason code. A gate makes few masks, so they
        are kept.
        """
        found = self._withheld.get(mask)
        if found is None:
            found = MappingProxyType(
                {
                    name: str(reason)
                    for name in self.program.inputs
                    if (reason := mask.reason(name)) is not None
                }
            )
            self._withheld[mask] = found
        return found

    def reasons(self, mask: Mask) -> Sequence[str]:
        """The reason codes for which a mask hides any of the program's inputs, or stops it."""
        found = self._reasons.get(mask)
        if found is None:
            reasons = {*self.withheld(mask).values(), *([str(mask.stopped)] if mask.stopped else [])}
            found = self._reasons[mask] = sorted(reasons)
        return found

    def stopped(self, mask: Mask) -> Sequence[SegmentResult]:
        """The results where a mask stops the purpose: everything is withheld, a segment that asks for no
        attribute too.
        """
        found = self._stopped.get(mask)
        if found is None:
            reasons = self.withheld(mask)
            found = self._stopped[mask] = [
                SegmentResult(
                    segment,
                    Outcome.WITHHELD,
                    withheld=tuple((name, reasons[name]) for name in sorted(self.program.reads[segment])),
                    reason=str(mask.stopped),
                )
                for segment in self.program.segments
            ]
        return found

    def accounted(
        self, wanted: Sequence[int], mask: Mask, values: Sequence[object]
    ) -> tuple[tuple[str, ...], tuple[str, ...], Mapping[str, tuple[str, ...]]]:
        """For the log: the attributes that the wanted segments depend on, those of them that have no value,
        and those that the mask hides, by reason code."""
        program = self.program
        reasons = self.withheld(mask)
        names = self.read_by(wanted)
        if names is None:
            read = program.inputs
            by_reason = self._by_reason.get(mask)
            if by_reason is None:
                by_reason = self._by_reason[mask] = _by_reason(read, reasons)
        else:
            read = tuple(sorted(names))
            by_reason = _by_reason(read, reasons)
        index = self.input_index
        missing = tuple([name for name in read if values[index[name]] is None and name not in reasons])
        return read, missing, by_reason


def _by_reason(names: Sequence[str], reasons: Mapping[str, str]) -> Mapping[str, tuple[str, ...]]:
    grouped: dict[str, list[str]] = {}
    for name in names:
        if name in reasons:
            grouped.setdefault(reasons[name], []).append(name)
    return {reason: tuple(group) for reason, group in sorted(grouped.items())}


class Serving:
    """One catalog in service: compiled, with its gate. Evaluations keep the one that they began with."""

    def __init__(self, catalog: Catalog, row: CatalogRow, gate: Gate) -> None:
        self.catalog = catalog
        self.row = row
        self.gate = gate
        self._plans: dict[str, Plan] = {}

    def plan(self, purpose: str) -> Plan:
        """The plan of a purpose, made when first asked for. Raises :class:`NotFound`."""
        plan = self._plans.get(purpose)
        if plan is None:
            plan = self._plans[purpose] = Plan(self.catalog, purpose)
        return plan

    def wanted(self, purpose: str, segments: tuple[str, ...]) -> list[int]:
        """Where in the program the named segments are, in the order of the catalog; all when none is named.

        Raises :class:`NotFound` for a segment that does not exist, :class:`InvalidInput` for one that does
        not serve the purpose."""
        plan = self.plan(purpose)
        if not segments:
            return list(range(len(plan.program.segments)))
        numbers = set()
        for segment in segments:
            number = plan.index.get(segment)
            if number is None:
                serves = ", ".join(sorted(self.catalog.segment(segment).purposes)) or "no purpose"
                raise InvalidInput.of(
                    "segments",
                    f"{segment} does not serve this purpose; it serves {serves}",
                    reason="SEGMENT_NOT_FOR_PURPOSE",
                )
            numbers.add(number)
        return sorted(numbers)
