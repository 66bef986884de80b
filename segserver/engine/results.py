"""From what a program returned to results with reasons, and to the lists that the audit entry keeps."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import compress

from segserver.engine.answers import ERROR, STRATEGY_FAILED, UNDETERMINED, SegmentResult
from segserver.engine.corridor import Sight
from segserver.engine.isolated import NOTHING, Derived
from segserver.engine.serving import Plan
from segserver.model import Outcome
from segserver.privacy.gate import Mask


@dataclass(slots=True)
class Results:
    """The results in the order of the catalog, and the segment ids by outcome."""

    results: list[SegmentResult] = field(default_factory=list)
    members: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    """Those that the subject is certainly not in."""
    unknown: list[str] = field(default_factory=list)
    withheld: list[str] = field(default_factory=list)
    failures: dict[str, set[str]] = field(default_factory=dict)
    """Reason code → the segments or traits that could not be computed."""


def run(sight: Sight, derived: Derived = NOTHING) -> Results:
    """Runs the program on what may be seen, and on what isolated traits come to. Pure but for the code of
    strategies, whose failures are in the results.
    """
    if sight.mask.stopped is not None:
        return _stopped(sight)
    failed = [*derived.failed]
    values = [*sight.values, *derived.values] if derived.values else sight.values
    outcomes = sight.plan.program.python(values, sight.at_us, sight.subject_key.hex(), sight.withheld, failed)
    plan, wanted = sight.plan, sight.wanted
    pairs, segments = plan.settled(explicit=sight.mask.explicit), plan.program.segments
    if len(wanted) != len(segments):
        pairs = [pairs[number] for number in wanted]
        segments = tuple([segments[number] for number in wanted])
        outcomes = tuple([outcomes[number] for number in wanted])
    results = [
        _unsettled(sight, number, failed) if outcome is None else pair[outcome]
        for number, pair, outcome in zip(wanted, pairs, outcomes, strict=True)
    ]
    members = list(compress(segments, outcomes))
    others = [segment for segment, outcome in zip(segments, outcomes, strict=True) if outcome is False]
    found = Results(results, members, others)
    if None in outcomes:
        for result, outcome in zip(results, outcomes, strict=True):
            if outcome is None:
                _note(found, result)
    return found


def _stopped(sight: Sight) -> Results:
    """A subject whose data may not be used for this purpose is not evaluated: no rule and no strategy's code
    runs.
    """
    everything = sight.plan.stopped(sight.mask)
    results = [everything[number] for number in sight.wanted]
    return Results(results, withheld=[result.segment for result in results])


def _unsettled(sight: Sight, number: int, failed: list[str]) -> SegmentResult:
    plan = sight.plan
    program = plan.program
    segment = program.segments[number]
    reads = program.reads[segment]
    missing = tuple([name for name in reads - sight.withheld if sight.values[plan.input_index[name]] is None])
    failed_traits = tuple(sorted(program.code[segment].intersection(failed))) if failed else ()
    return unsettled(plan, number, sight.mask, missing, failed_traits)


def unsettled(
    plan: Plan, number: int, mask: Mask, missing: tuple[str, ...], failed_traits: tuple[str, ...]
) -> SegmentResult:
    """Why a segment is not settled: what was withheld, what was missing, whose code failed, or an error in
    the rule. Subjects that lack the same attributes share the result.

    ``missing`` names those of the segment's attributes that are visible and have no value."""
    key = number, mask, missing, failed_traits
    known = plan.unsettled.get(key)
    if known is not None:
        return known
    program = plan.program
    segment = program.segments[number]
    reasons = plan.withheld(mask)
    withheld = tuple((name, reasons[name]) for name in sorted(program.reads[segment] & reasons.keys()))
    if failed_traits:
        reason = STRATEGY_FAILED
    elif withheld or missing:
        reason = ""
    else:
        reason = UNDETERMINED if program.code[segment] else ERROR
    outcome = Outcome.WITHHELD if withheld else Outcome.UNKNOWN
    review = segment in plan.review and not mask.explicit
    result = SegmentResult(
        segment, outcome, tuple(sorted(missing)), withheld, reason, failed_traits, human_review=review
    )
    plan.remember(key, result)
    return result


def _note(found: Results, result: SegmentResult) -> None:
    (found.withheld if result.outcome is Outcome.WITHHELD else found.unknown).append(result.segment)
    if result.reason:
        names = result.failed_traits or (result.segment,)
        found.failures.setdefault(result.reason, set()).update(names)
