"""The one adapter from Python functions of values to columns: a function is called once for each distinct
input.

What Polars has no exact expression for is computed by the very function that the Python compiler uses, so
the two can't differ.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

from segserver.rules.polars_column import dtype, to_polars
from segserver.rules.tree import element, is_list

Scalar = Callable[..., Any]
"""A pure function of values in rule form, which returns one; ``None`` is unknown."""


def by_distinct(
    function: Scalar, columns: Sequence[pl.Expr], types: Sequence[str], result: str, *, strict: bool = True
) -> pl.Expr:
    """``function`` over columns of the given types, called once for each distinct row of them.

    A ``strict`` function isn't called where an argument is unknown: the result is unknown. Another one gets
    ``None`` there. The columns must not all be constants.
    """

    def evaluate(fields: pl.Series) -> pl.Series:
        return over_distinct(function, fields.struct.unnest(), types, result, strict=strict)

    named = [column.alias(f"{position}") for position, column in enumerate(columns)]
    # Not "elementwise", though it is: Polars would hand over pieces, and each would meet the same values.
    return pl.struct(named).map_batches(evaluate, return_dtype=dtype(result), is_elementwise=False)


def over_distinct(
    function: Scalar, frame: pl.DataFrame, types: Sequence[str], result: str, *, strict: bool
) -> pl.Series:
    """The same over a frame whose columns are the arguments; see :func:`by_distinct`."""
    names = frame.columns
    # 0.0 and -0.0 are one value to a join and two to string(): their bits keep them apart.
    signs = {
        f"{name}±": (1 / pl.col(name)) < 0
        for name, type_name in zip(names, types, strict=True)
        if type_name == "double"
    }
    keyed = frame.with_columns(**signs)
    distinct = keyed.unique()
    if strict:
        distinct = distinct.drop_nulls(names)
    arguments = [
        _to_rule_form(distinct[name], type_name) for name, type_name in zip(names, types, strict=True)
    ]
    values = [to_polars(function(*row), result) for row in zip(*arguments, strict=True)]
    answers = distinct.with_columns(pl.Series("=", values, dtype=dtype(result)))
    joined = keyed.join(answers, on=keyed.columns, how="left", nulls_equal=True, maintain_order="left")
    return joined["="]


def _to_rule_form(column: pl.Series, type_name: str) -> list[Any]:
    if type_name in ("timestamp", "duration"):
        return column.to_physical().to_list()
    values = column.to_list()
    if is_list(type_name):
        inner = element(type_name)
        if inner in ("timestamp", "duration") or is_list(inner):
            return [
                None if v is None else tuple(_to_rule_form(pl.Series(v, dtype=dtype(inner)), inner))
                for v in values
            ]
        return [None if v is None else tuple(v) for v in values]
    return values
