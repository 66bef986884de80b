"""Code of plugins over columns: coded traits, and functions that plugins add to CEL.

A vectorized form is called with the rows in which every argument is known; without one, the scalar form is
called once for each distinct input. Whatever the code does costs only its own values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import polars as pl

from segserver.rules.functions import Function, scalar_of
from segserver.rules.polars_column import dtype, literal
from segserver.rules.polars_distinct import by_distinct
from segserver.rules.program import Coded
from segserver.rules.python import compile_python


def coded_column(
    step: Coded, reads: Sequence[pl.Expr], types: Sequence[str], failures: list[str] | None
) -> pl.Expr:
    """A coded trait. Its name is appended to ``failures`` for every distinct input that failed; vectorized,
    for every piece of the table.
    """
    failed: list[str] = [] if failures is None else failures
    if step.vectorized is not None and reads:
        return _vectorized(step.vectorized, reads, step.type, lambda: failed.append(step.name))
    run = compile_python([step], step.reads, [step.name]).run

    def scalar(*values: object) -> object:
        return run(values, 0, "", frozenset(), failed)[0]

    if not reads:
        return literal(scalar(), step.type).expr
    return by_distinct(scalar, reads, types, step.type)


def function_column(function: Function, args: Sequence[pl.Expr]) -> pl.Expr:
    """A call of a plugin's function; unknown where it fails."""
    signature = function.parsed()
    if function.vectorized is not None:
        return _vectorized(function.vectorized, args, signature.result, _ignore)
    return by_distinct(scalar_of(function), args, signature.parameters, signature.result)


def _vectorized(
    function: Callable[..., pl.Series], args: Sequence[pl.Expr], result: str, fail: Callable[[], None]
) -> pl.Expr:
    def evaluate(fields: pl.Series) -> pl.Series:
        frame = fields.struct.unnest()
        present = frame.select(pl.all_horizontal(pl.all().is_not_null())).to_series()
        known = frame.filter(present)
        answers = _checked(function, known, result)
        if answers is None:
            fail()
            answers = pl.Series([None], dtype=dtype(result)).new_from_index(0, len(known))
        if len(known) == len(frame):
            return answers
        row = present.cum_sum().cast(pl.Int64()) - 1
        return answers.gather(pl.select(pl.when(present).then(row)).to_series())

    named = [arg.alias(f"{position}") for position, arg in enumerate(args)]
    return pl.struct(named).map_batches(evaluate, return_dtype=dtype(result), is_elementwise=True)


def _checked(function: Callable[..., pl.Series], known: pl.DataFrame, result: str) -> pl.Series | None:
    """What the function returns for the rows, if there are any; ``None`` when it raises or returns something
    else.
    """
    if known.is_empty():
        return pl.Series(dtype=dtype(result))
    try:
        answers = function(*known.get_columns())
        if not isinstance(answers, pl.Series) or len(answers) != len(known):
            return None
        checked = answers.cast(dtype(result), strict=True)
    except Exception:
        return None
    if result == "double" and not checked.is_finite().all():
        return None
    return checked


def _ignore() -> None:
    """A function has no name to report: its rule is unknown."""
