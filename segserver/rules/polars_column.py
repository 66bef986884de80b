"""A compiled part of a rule: a Polars expression, and what is known of its values before any row is seen.

The facts (range, NaN, nullability) let the arithmetic leave out a check that can't fail.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import polars as pl

from segserver.model import INT64_MAX, INT64_MIN
from segserver.rules.times import DURATION_MAX, TIMESTAMP_MAX, TIMESTAMP_MIN, to_datetime
from segserver.rules.tree import EMPTY_LIST, element, is_list

DTYPES: Final[dict[str, pl.DataType]] = {
    "bool": pl.Boolean(),
    "int": pl.Int64(),
    "double": pl.Float64(),
    "string": pl.String(),
    "timestamp": pl.Datetime("us", "UTC"),
    "duration": pl.Duration("us"),
}

BOUNDS: Final = {
    "int": (INT64_MIN, INT64_MAX),
    "timestamp": (TIMESTAMP_MIN, TIMESTAMP_MAX),
    "duration": (-DURATION_MAX, DURATION_MAX),
}
"""The least and the greatest value of the types that are integers inside; times in microseconds."""


def dtype(type_name: str) -> pl.DataType:
    """The Polars type of a rule's type."""
    if type_name == EMPTY_LIST:
        return pl.List(pl.String())
    if is_list(type_name):
        return pl.List(dtype(element(type_name)))
    return DTYPES[type_name]


@dataclass(frozen=True, slots=True)
class Column:
    """An expression with its type and facts.

    ``constant`` says that it is the same in every row, and then ``value`` is it, in rule form. ``nullable``
    is false when no row can be unknown. ``low`` and ``high`` bound an int (a timestamp or duration in
    microseconds). ``nan`` and ``infinite`` say that a double may be that. ``origins`` names columns of the
    frame: it is unknown exactly where one of them is; ``None`` when that can't be said.
    """

    expr: pl.Expr
    type: str
    nullable: bool = True
    constant: bool = False
    value: Any = None
    low: int = INT64_MIN
    high: int = INT64_MAX
    nan: bool = False
    infinite: bool = False
    origins: frozenset[str] | None = None

    def null(self) -> bool:
        """Whether it is unknown in every row."""
        return self.constant and self.value is None


def column(expr: pl.Expr, type_name: str, **facts: Any) -> Column:
    """A column whose range is that of its type, unless ``facts`` say better. Only a double may be NaN."""
    low, high = BOUNDS.get(type_name, (INT64_MIN, INT64_MAX))
    if "double" not in type_name:
        facts |= {"nan": False, "infinite": False}
    return Column(expr, type_name, **{"low": low, "high": high, **facts})


def derived(args: Sequence[Column], expr: pl.Expr, type_name: str, **facts: Any) -> Column:
    """A column that is unknown exactly where one of ``args`` is, unless ``facts`` say ``nullable``."""
    origins = [a.origins for a in args if a.origins is not None]
    exact = len(origins) == len(args) and "nullable" not in facts
    facts = {"nullable": any(a.nullable for a in args), **facts}
    return column(expr, type_name, origins=frozenset().union(*origins) if exact else None, **facts)


def literal(value: Any, type_name: str) -> Column:
    """A constant from its rule form; ``None`` is the unknown."""
    # A literal that needs no type is built several times faster; thousands are when a catalog is bound.
    plain = isinstance(value, bool | float | str)
    expr = pl.lit(value) if plain else pl.lit(to_polars(value, type_name), dtype=dtype(type_name))
    facts: dict[str, Any] = {"nullable": value is None, "constant": True, "value": value}
    if value is not None:
        facts["origins"] = frozenset()
    if type_name in BOUNDS and value is not None:
        facts |= {"low": value, "high": value}
    if type_name == "double" and value is not None:
        facts |= {"nan": value != value, "infinite": value in (float("inf"), float("-inf"))}
    return column(expr, type_name, **facts)


def to_polars(value: Any, type_name: str) -> Any:
    """A value in rule form as the Python value that Polars takes for the type."""
    if value is None:
        return None
    if is_list(type_name):
        return [to_polars(item, element(type_name)) for item in value]
    if type_name == "timestamp":
        return to_datetime(value)
    if type_name == "duration":
        return dt.timedelta(microseconds=value)
    return value


def coerce(given: Column, type_name: str) -> Column:
    """``given`` as a column of the type: only an empty list has another one, which its neighbours decide."""
    if given.type == type_name:
        return given
    if given.constant:
        return literal(given.value, type_name)
    return replace(given, expr=given.expr.cast(dtype(type_name)), type=type_name)


def when(condition: pl.Expr, value: pl.Expr) -> pl.Expr:
    """``value`` where the condition holds, null where it doesn't or is null."""
    return pl.when(condition).then(value)
