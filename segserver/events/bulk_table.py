"""The events of one name as the bulk passes read them: of known subjects, up to now, in rule form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import polars as pl

from segserver.errors import InvalidInput
from segserver.events.conditions import PREFIX
from segserver.events.definitions import TIME
from segserver.events.measures import Measure
from segserver.events.windows import BEGINNING
from segserver.model import INT64_MAX, TypeName
from segserver.rules.polars import expression
from segserver.rules.polars_column import dtype

Frame: TypeAlias = "pl.DataFrame | pl.LazyFrame"

SUBJECT, NUMBER = "subject", "number"
ROW, TICK, POSITION = "@row", "@tick", "@position"
"""The subject's place among the subjects, and the time in microseconds."""

_TIME = PREFIX + TIME


@dataclass(frozen=True, slots=True)
class Between:
    """The columns' or the constant times (after, until] that a window covers; ``None`` is no limit."""

    after: pl.Expr | None
    until: pl.Expr | None


class Table:
    """Events in a frame, with a column ``event.<property>`` for each property that is read."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self.frame = frame
        self._sorted = False

    @classmethod
    def of(
        cls, given: Frame | None, types: Mapping[str, TypeName], subjects: pl.DataFrame, floor: int, now: int
    ) -> Table:
        """The events of the given subjects that happened up to ``now``, and later than ``floor``."""
        columns = {SUBJECT: subjects.schema[SUBJECT], TIME: dtype("timestamp"), NUMBER: pl.Int64()}
        columns |= {name: dtype(type_name) for name, type_name in types.items()}
        lazy = pl.LazyFrame(schema=columns) if given is None else given.lazy()
        schema = lazy.collect_schema()
        _check(schema, columns, optional=types.keys())
        properties = [
            (pl.col(name) if name in schema else pl.lit(None, columns[name])).alias(PREFIX + name)
            for name in types
        ]
        tick = pl.col(TIME).to_physical()
        kept = lazy.filter(tick <= now)
        if floor > BEGINNING:
            kept = kept.filter(tick > floor)
        places = subjects.lazy().select(SUBJECT).with_row_index(ROW)
        frame = (
            kept.select(SUBJECT, NUMBER, pl.col(TIME).alias(_TIME), tick.alias(TICK), *properties)
            .join(places, on=SUBJECT, how="inner", maintain_order="left")
            .drop(SUBJECT)
            .collect()
        )
        return cls(frame)

    def sort(self) -> None:
        """Brings the events into order: by subject, time and number."""
        if self._sorted:
            return
        keys = [pl.col(ROW), pl.col(TICK), pl.col(NUMBER)]
        row, tick, number = keys
        before = [key.shift(1) for key in keys]
        ahead = (
            (row > before[0])
            | ((row == before[0]) & (tick > before[1]))
            | ((row == before[0]) & (tick == before[1]) & (number >= before[2]))
        )
        if not self.frame.select(ahead.all()).item():
            self.frame = self.frame.sort(keys)
        self._sorted = True

    def position(self) -> pl.Expr:
        """The places of the events in the table, which is in order."""
        if POSITION not in self.frame.columns:
            self.frame = self.frame.with_row_index(POSITION)
        return pl.col(POSITION)

    def per_subject(self, series: pl.Series, name: str) -> pl.Expr:
        """A column that holds, for each event, its subject's value."""
        if name not in self.frame.columns:
            self.frame = self.frame.with_columns(series.gather(self.frame[ROW]).alias(name))
        return pl.col(name)

    def exact(self, name: str) -> pl.Expr:
        """What is summed of a property: ints themselves, doubles in millionths; in 128 bits where 64 could be
        too few for all events together."""
        column = f"@exact.{name}"
        if column not in self.frame.columns:
            value = pl.col(PREFIX + name)
            if self.frame.schema[PREFIX + name] == pl.Float64():
                value = (value * 1e6 + 0.5).floor().cast(pl.Int64())
            made = self.frame.select(value.alias(column)).to_series()
            ends = [end for end in (made.min(), made.max()) if isinstance(end, int)]
            if any(abs(end) * len(made) > INT64_MAX for end in ends):
                made = made.cast(pl.Int128())
            self.frame = self.frame.with_columns(made)
        return pl.col(column)

    def counts(self, measure: Measure, between: Between) -> pl.Expr | None:
        """Whether an event counts; ``None`` when each does."""
        truths = []
        if between.after is not None:
            truths.append(pl.col(TICK) > between.after)
        if between.until is not None:
            truths.append(pl.col(TICK) <= between.until)
        if measure.where is not None:
            truths.append(self._fulfilled(measure))
        taken = [PREFIX + needed[0] for needed in (measure.of, measure.weight) if needed is not None]
        truths += [pl.col(name).is_not_null() for name in taken if self.frame[name].has_nulls()]
        return pl.all_horizontal(truths) if truths else None

    def _fulfilled(self, measure: Measure) -> pl.Expr:
        assert measure.where is not None  # noqa: S101 - the caller has seen to it
        column = f"@where.{measure.where.text}"
        if column not in self.frame.columns:
            checked = measure.where.checked
            expr = expression(checked.tree, checked.functions).fill_null(value=False)
            self.frame = self.frame.with_columns(expr.alias(column))
        return pl.col(column)


def _check(schema: pl.Schema, wanted: Mapping[str, pl.DataType], optional: Iterable[str]) -> None:
    missing = frozenset(optional)
    for name, type_ in wanted.items():
        given = schema.get(name)
        if given is None and name in missing:
            continue
        if given != type_ and given != pl.Null():
            raise InvalidInput.of(name, f"expected a column of {type_}, got {given}")
