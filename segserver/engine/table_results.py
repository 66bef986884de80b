"""From a table to results with reasons: those of :mod:`segserver.engine.results`, row by row, each different
one made once.

The program says of each cell whether it is settled. Why it is not depends on few things: the subject's mask,
which of the segment's attributes have no value, whose code failed. They are folded into one integer, and one
row of each is looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import polars as pl

from segserver.catalog import Bulk
from segserver.engine.answers import SegmentResult
from segserver.engine.population import STOPPED, SUBJECT, Seen
from segserver.engine.results import unsettled
from segserver.engine.serving import Plan
from segserver.rules.polars import WITHHELD
from segserver.rules.polars_distinct import over_distinct
from segserver.rules.program import Coded
from segserver.rules.python import compile_python
from segserver.rules.times import to_datetime

MASK = "@mask"
"""The column of the codes of masks."""
FOLDED_FLAGS = 32
"""So many flags fit into the lower half of a key."""


@dataclass(frozen=True, slots=True)
class TableResults:
    """The results of a page of subjects.

    ``numbers`` has a column for each wanted segment, in the order of the catalog: of each subject, in order,
    the place of its result in ``distinct``."""

    distinct: Sequence[SegmentResult]
    numbers: pl.DataFrame
    stopped: range
    """Where in ``distinct`` the results are of subjects that may not be evaluated at all."""


def run_table(plan: Plan, bulk: Bulk, wanted: Sequence[int], seen: Seen, at_us: int) -> TableResults:
    """Runs the program over what may be seen. Pure but for the code of strategies, whose failures are in the
    results.
    """
    program = plan.program
    segments = [program.segments[number] for number in wanted]
    variables = bulk.polars.outputs[len(bulk.coded) :]
    answered = (
        bulk.polars(seen.frame.lazy(), now=to_datetime(at_us), subject=SUBJECT)
        .select(
            *(variables[number] for number in wanted), *(step.name for step in _coded(plan, bulk, segments))
        )
        .collect()
    )
    outcomes = answered.select(variables[number] for number in wanted)
    outcomes.columns = segments
    return _Table(plan, wanted, seen, _flags(plan, bulk, segments, seen, answered)).results(outcomes)


class _Table:
    """One page of subjects, while their results are made.

    Whatever is done for every segment is one statement for all of them: Polars takes longer to begin a
    statement than to run it over a page.
    """

    def __init__(self, plan: Plan, wanted: Sequence[int], seen: Seen, flags: Sequence[pl.Series]) -> None:
        self._plan = plan
        self._wanted = wanted
        self._masks = seen.mask.masks
        self._facts = pl.DataFrame([seen.mask.codes.alias(MASK), seen.frame[STOPPED], *flags])
        self._distinct: list[SegmentResult] = []
        self._places: dict[SegmentResult, int] = {}

    def results(self, outcomes: pl.DataFrame) -> TableResults:
        """The results where these are the outcomes, a column for each wanted segment."""
        settled = self._settled()
        first = len(self._distinct)
        instead = self._instead()
        stopped = range(first, len(self._distinct))
        keys = self._keys(outcomes)
        unsettled = self._unsettled(keys)
        numbers = pl.select(
            pl.when(self._facts[STOPPED])
            .then(instead + place)
            .when(outcomes[name])
            .then(settled[0][place])
            .when(~outcomes[name])
            .then(settled[1][place])
            .otherwise(unsettled.get(name))
            .cast(pl.UInt32)
            .alias(name)
            for place, name in enumerate(outcomes.columns)
        )
        return TableResults(self._distinct, numbers, stopped)

    def _add(self, results: Sequence[SegmentResult]) -> int:
        """Puts the results of a block into ``distinct``; returns the place of the first."""
        self._distinct += results
        return len(self._distinct) - len(results)

    def _settled(self) -> tuple[list[pl.Expr], list[pl.Expr]]:
        """For each wanted segment, where the result of a member is, and of anybody else."""
        explicit = self._facts[MASK].is_in([code for code, mask in self._masks.items() if mask.explicit])
        has_review = not self._plan.review.isdisjoint(
            self._plan.program.segments[number] for number in self._wanted
        )
        found: tuple[list[pl.Expr], list[pl.Expr]] = ([], [])
        for member, places in zip((True, False), found, strict=True):
            without, with_ = (
                self._add([self._plan.settled(explicit=given)[number][member] for number in self._wanted])
                for given in ((False, True) if has_review else (False, False))
            )
            for place in range(len(self._wanted)):
                plain = pl.lit(without + place)
                places.append(pl.when(explicit).then(with_ + place).otherwise(plain) if has_review else plain)
        return found

    def _instead(self) -> pl.Expr:
        """For each subject that may not be evaluated at all, where the first of its results is."""
        blocks = {
            code: self._add([self._plan.stopped(mask)[number] for number in self._wanted])
            for code, mask in self._masks.items()
            if mask.stopped is not None
        }
        if not blocks:
            return pl.lit(None, pl.UInt32)
        return pl.lit(self._facts[MASK].replace_strict(blocks, default=None, return_dtype=pl.UInt32))

    def _keys(self, outcomes: pl.DataFrame) -> pl.DataFrame:
        """For each segment with open outcomes, what they depend on as one integer; null where one
        is settled.
        """
        return self._facts.select(
            pl.when(outcomes[name].is_null() & ~self._facts[STOPPED])
            .then(_folded(_flag_names(self._plan, number)))
            .alias(name)
            for name, number in zip(outcomes.columns, self._wanted, strict=True)
            if outcomes[name].null_count()
        )

    def _unsettled(self, keys: pl.DataFrame) -> dict[str, pl.Expr]:
        """Segment → for each row where its outcome is open, the place of the result that says why."""
        if not keys.width:
            return {}
        rows = {
            name: met[0]
            for name, met in keys.select(pl.all().arg_unique().implode()).to_dict(as_series=False).items()
        }
        found: dict[str, pl.Expr] = {}
        for name, met in rows.items():
            number = self._plan.index[name]
            column = keys[name]
            places = {
                key: self._place(number, self._facts.row(row, named=True))
                for row in met
                if (key := column[row]) is not None
            }
            if places:
                found[name] = pl.lit(column).replace_strict(places, default=None, return_dtype=pl.UInt32)
        return found

    def _place(self, number: int, row: Mapping[str, Any]) -> int:
        program = self._plan.program
        segment = program.segments[number]
        missing = tuple(name for name in sorted(program.reads[segment]) if row[name])
        failed = tuple(name for name in sorted(program.code[segment]) if row[name])
        result = unsettled(self._plan, number, self._masks[row[MASK]], missing, failed)
        if result not in self._places:
            self._places[result] = self._add([result])
        return self._places[result]


def _flag_names(plan: Plan, number: int) -> list[str]:
    """What can keep a segment from being settled: its attributes and code traits."""
    segment = plan.program.segments[number]
    return sorted(plan.program.reads[segment] | plan.program.code[segment])


def _coded(plan: Plan, bulk: Bulk, segments: Sequence[str]) -> list[Coded]:
    """The code traits that the segments depend on."""
    code = frozenset[str]().union(*(plan.program.code[segment] for segment in segments))
    return [step for step in bulk.coded if step.name in code]


def _flags(
    plan: Plan, bulk: Bulk, segments: Sequence[str], seen: Seen, answered: pl.DataFrame
) -> list[pl.Series]:
    """For each attribute that the segments depend on, in which rows it is visible and has no value; for each
    code trait, in which rows its code failed.
    """
    frame = seen.frame
    reads = sorted(frozenset().union(*(plan.program.reads[segment] for segment in segments)))
    missing = frame.select(
        (
            pl.col(name).is_null() & ~pl.col(name + WITHHELD)
            if name + WITHHELD in frame.columns
            else pl.col(name).is_null()
        ).alias(name)
        for name in reads
    )
    failed = [
        _failed(step, bulk.polars.inputs, frame, answered[step.name]) for step in _coded(plan, bulk, segments)
    ]
    return [*missing, *failed]


def _failed(step: Coded, types: Mapping[str, str], frame: pl.DataFrame, values: pl.Series) -> pl.Series:
    """In which rows the code of a trait failed, rather than found no value. The code is asked again, once for
    each distinct input that it left without one.
    """
    reads = list(step.reads)
    run = compile_python([step], reads, [step.name]).run

    def fails(*given: object) -> bool:
        failures: list[str] = []
        run(given, 0, "", frozenset(), failures)
        return bool(failures)

    if not reads:
        return pl.repeat(fails(), frame.height, dtype=pl.Boolean, eager=True).alias(step.name)
    nobody = pl.repeat(False, frame.height, dtype=pl.Boolean, eager=True).alias(step.name)
    known = frame.select(pl.all_horizontal(pl.col(reads).is_not_null())).to_series()
    rows = (known & values.is_null()).arg_true()
    if not len(rows):
        return nobody
    given = frame.select(reads)[rows]
    return nobody.scatter(
        rows, over_distinct(fails, given, [types[name] for name in reads], "bool", strict=True)
    )


def _folded(names: Sequence[str]) -> pl.Expr:
    """The mask's code and the flags as one integer: equal for rows in which all of them are."""
    key = pl.col(MASK).cast(pl.UInt64)
    for start in range(0, len(names), FOLDED_FLAGS):
        part = names[start : start + FOLDED_FLAGS]
        bits = reduce(add, (pl.col(name).cast(pl.UInt64) * (1 << n) for n, name in enumerate(part)))
        key = (key if start == 0 else key.rank("dense").cast(pl.UInt64)) * (1 << FOLDED_FLAGS) + bits
    return key
