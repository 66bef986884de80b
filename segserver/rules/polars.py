"""Rules over a table: traits and segments as Polars expressions.

One row is one subject, one column one attribute, null is unknown. The answers are those of the Python
compiler (:mod:`segserver.rules.python`), row by row. Nothing here holds rows: the same program runs over a
frame in memory, a lazy or streamed one, and inside Spark executors, to which it travels by pickle.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias, TypeVar

import polars as pl

from segserver.errors import InvalidInput
from segserver.rules.check import NOW
from segserver.rules.functions import Function
from segserver.rules.polars_coded import coded_column
from segserver.rules.polars_column import Column, coerce, dtype, literal
from segserver.rules.polars_compiler import Compiler
from segserver.rules.polars_own import subject_bits
from segserver.rules.program import Coded, Computed, Step, needed
from segserver.rules.times import from_datetime
from segserver.rules.tree import Call, Node, walk

WITHHELD = "@withheld"
"""The end of the name of the bool column that says in which rows an input is withheld:
``age@withheld``.
"""

_BITS = "@bits"
"""The column of the subjects' 64 bits, computed once for all buckets."""

_BINDINGS_KEPT = 4
"""For so many evaluation times the compiled expressions are kept; a bulk run has one."""

_WIDENED: Mapping[str, tuple[type[pl.DataType], ...]] = {
    "int": (pl.Int8, pl.Int16, pl.Int32, pl.UInt8, pl.UInt16, pl.UInt32),
    "double": (pl.Float32,),
    "string": (pl.Categorical, pl.Enum),
}
"""Column types that are taken for a declared one, because no value changes."""

Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)

_Layer: TypeAlias = tuple[list[pl.Expr], list[Coded]]


def expression(tree: Node, functions: Mapping[str, Function] | None = None) -> pl.Expr:
    """One rule as an expression over columns named like its variables; null is unknown.

    ``now`` is a column too, and ``subject`` the column that ``bucket()`` reads. Timestamps are
    ``Datetime("us", "UTC")``, durations ``Duration("us")``, lists ``List(String)``. ``functions`` are the
    plugins', by overload id (:attr:`segserver.rules.check.Checked.functions`). An expression sees no
    withheld columns: to ``known()`` a null is no value.
    """
    return Compiler(functions=functions or {}).compile(tree).expr


def compile_polars(
    steps: Sequence[Step],
    inputs: Mapping[str, str],
    outputs: Iterable[str],
    origins: Mapping[str, frozenset[str]] | None = None,
) -> PolarsProgram:
    """The program for the steps named in ``outputs`` and what they need, from ``inputs`` (name to type).

    ``origins`` names, for a trait or segment, the inputs that it depends on: ``known()`` of it is unknown
    where it has no value and one of them is withheld. A step reads inputs and steps before it; else
    :class:`InvalidInput`. The program is tried on an empty table, so what Polars can't run is found here
    and not in a bulk run.
    """
    program = PolarsProgram(steps, inputs, outputs, origins or {})
    empty = pl.DataFrame(schema={"subject": pl.String(), **{name: dtype(t) for name, t in inputs.items()}})
    program(empty, now=dt.datetime.fromtimestamp(0, dt.UTC))
    return program


class PolarsProgram:
    """Computes traits and segments over a frame. Immutable, shared between threads, and cheap to pickle."""

    def __init__(
        self,
        steps: Sequence[Step],
        inputs: Mapping[str, str],
        outputs: Iterable[str],
        origins: Mapping[str, frozenset[str]],
    ) -> None:
        self.inputs = dict(inputs)
        self.outputs = tuple(outputs)
        self._steps = needed(steps, self.inputs, self.outputs)
        self._origins = dict(origins)
        self._types = {**self.inputs, NOW: "timestamp", **{step.name: step.type for step in self._steps}}
        self._buckets = any(_reads_subject(step) for step in self._steps)
        self._layers = _layers(self._steps)
        self._bind = functools.lru_cache(maxsize=_BINDINGS_KEPT)(self._compile)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self._steps, self.inputs, self.outputs, self._origins)

    def __call__(
        self, frame: Frame, *, now: dt.datetime, subject: str = "subject", failures: list[str] | None = None
    ) -> Frame:
        """The frame with the outputs as its last columns; rows and their order are kept.

        ``now`` is the evaluation time, aware. ``subject`` is the column of subject keys, read by
        ``bucket()``. An input without a column is unknown in every row. A column ``<name>@withheld`` says
        where an input is withheld rather than missing. A segment is a nullable bool.

        A coded trait that raises is unknown in that row, and its name is appended to ``failures`` once for
        each distinct input that failed (vectorized: once for each piece of the table that Polars handed
        over); a lazy frame does that when it is collected. Raises :class:`InvalidInput` for a column of
        another type.
        """
        lazy = frame.lazy()
        schema = lazy.collect_schema()
        self._check_names(schema, subject)
        present = frozenset(name for name in self.inputs if name in schema)
        withheld = frozenset(name for name in self.inputs if name + WITHHELD in schema)
        casts = [_as_declared(name, schema[name], self.inputs[name]) for name in sorted(present)]
        absent = [
            pl.lit(None, dtype(t)).alias(name) for name, t in self.inputs.items() if name not in present
        ]
        bits = [subject_bits(subject).alias(_BITS)] if self._buckets else []
        result = lazy.with_columns(*absent, *(cast for cast in casts if cast is not None), *bits)
        for exprs, coded in self._bind(from_datetime(now), present, withheld):
            result = result.with_columns(*exprs, *(self._coded(step, now, failures) for step in coded))
        kept = [name for name in schema.names() if name not in self.outputs]
        answered = result.select(*kept, *self.outputs)
        return answered.collect() if isinstance(frame, pl.DataFrame) else answered

    def _compile(self, now: int, present: frozenset[str], withheld: frozenset[str]) -> list[_Layer]:
        """The columns to add, layer by layer: a layer reads the frame and the layers before."""
        variables = {NOW: literal(now, "timestamp")}
        variables |= {name: literal(None, t) for name, t in self.inputs.items() if name not in present}
        hiding = {
            name: [origin + WITHHELD for origin in sorted(self._origins.get(name, {name}) & withheld)]
            for name in self._types
        }
        layers = []
        for steps in self._layers:
            compiler = Compiler(variables=dict(variables), withheld=hiding, subject=pl.col(_BITS))
            exprs, coded = [], []
            for step in steps:
                if isinstance(step, Coded):
                    coded.append(step)
                    continue
                given = replace(compiler, functions=step.checked.functions).compile(step.checked.tree)
                compiled = coerce(given, step.type)
                exprs.append(compiled.expr.alias(step.name))
                variables[step.name] = _named(step.name, compiled)
            layers.append((exprs, coded))
        return layers

    def _coded(self, step: Coded, now: dt.datetime, failures: list[str] | None) -> pl.Expr:
        reads = [pl.lit(now, dtype("timestamp")) if name == NOW else pl.col(name) for name in step.reads]
        expr = coded_column(step, reads, [self._types[name] for name in step.reads], failures)
        return expr.alias(step.name)

    def _check_names(self, schema: pl.Schema, subject: str) -> None:
        for step in self._steps:
            if step.name in schema and step.name not in self.outputs:
                raise InvalidInput.of(step.name, "the table has a column of that name, which a step computes")
        if self._buckets and schema.get(subject) != pl.String():
            raise InvalidInput.of(subject, "bucket() needs the subject keys, in a column of strings")


def _reads_subject(step: Step) -> bool:
    return isinstance(step, Computed) and any(
        isinstance(node, Call) and node.overload == "bucket" for node in walk(step.checked.tree)
    )


def _layers(steps: Sequence[Step]) -> list[list[Step]]:
    """The steps by depth: each reads only steps of the lists before its own."""
    depths: dict[str, int] = {}
    layers: list[list[Step]] = []
    for step in steps:
        depth = 1 + max((depths.get(name, -1) for name in step.reads), default=-1)
        depths[step.name] = depth
        if depth == len(layers):
            layers.append([])
        layers[depth].append(step)
    return layers


def _named(name: str, compiled: Column) -> Column:
    """What later layers know of a step: its column, with the facts found while it was compiled."""
    return compiled if compiled.constant else replace(compiled, expr=pl.col(name), origins=frozenset({name}))


def _as_declared(name: str, given: pl.DataType, declared: str) -> pl.Expr | None:
    """The cast that a column needs to have the declared type; ``None`` when it has it."""
    wanted = dtype(declared)
    if given == wanted:
        return None
    is_moment = isinstance(given, pl.Datetime) and declared == "timestamp" and given.time_zone is not None
    if given == pl.Null() or is_moment or isinstance(given, _WIDENED.get(declared, ())):
        return pl.col(name).cast(wanted)
    raise InvalidInput.of(name, f"expected a column of {wanted} ({declared}), got {given}")
