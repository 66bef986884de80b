"""Comparisons and membership in Polars, with CEL's NaN: equal to nothing, before and after nothing.

Polars' total order puts NaN above all and makes it equal to itself, so the side where that shows is
guarded, and only when it may hold a NaN.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence

import polars as pl

from segserver.rules.polars_column import Column, coerce, derived, dtype, literal, to_polars
from segserver.rules.tree import element

STRINGS_AS_EQUALITIES_MAX = 8
"""Up to so many strings, a chain of ``==`` was measured faster than ``is_in``, which hashes every row."""


def equals(a: Column, b: Column) -> Column | None:
    """``a == b``, of one type; ``None`` for lists that may hold NaN."""
    a, b = _alike(a, b)
    if "double" in a.type and a.type != "double":
        return None
    result = a.expr == b.expr
    if a.nan and b.nan:
        result = _where_nan(a.expr.is_nan() & b.expr.is_nan(), False, result)
    return derived((a, b), result, "bool")


def not_equals(a: Column, b: Column) -> Column | None:
    """``a != b``: exactly the opposite of ``a == b``."""
    same = equals(a, b)
    if same is None or (a.nan and b.nan):
        return None if same is None else derived((a, b), ~same.expr, "bool")
    a, b = _alike(a, b)
    return derived((a, b), a.expr != b.expr, "bool")


def ordering(compare: Callable[[pl.Expr, pl.Expr], pl.Expr]) -> Callable[[Column, Column], Column]:
    """``<``, ``<=``, ``>`` or ``>=`` of two values of one type."""
    upper = 1 if compare in (operator.lt, operator.le) else 0

    def calculate(*args: Column) -> Column:
        a, b = args
        result = compare(a.expr, b.expr)
        greater, other = args[upper], args[1 - upper]
        if greater.nan and not other.nullable:
            result &= greater.expr.is_not_nan()
        elif greater.nan:
            result = _where_nan(greater.expr.is_nan() & other.expr.is_not_null(), False, result)
        return derived(args, result, "bool")

    return calculate


def is_in(value: Column, items: Sequence[Column]) -> Column | None:
    """``value in [items]``: unknown as soon as one of the items is, as in CEL."""
    if any(item.null() for item in items):
        return literal(None, "bool")
    if not items:
        return derived((value,), pl.when(value.expr.is_not_null()).then(False), "bool")
    if all(item.constant for item in items):
        return _in_constants(value, [item.value for item in items])
    tests = [equals(value, item) for item in items]
    found = functools.reduce(operator.or_, [test.expr for test in tests if test is not None])
    if any(test is None for test in tests):
        return None
    return derived((value, *items), where_known(items, found), "bool")


def where_known(columns: Sequence[Column], expr: pl.Expr) -> pl.Expr:
    """``expr``, and null where one of the columns is."""
    missing = [c.expr.is_null() for c in columns if c.nullable]
    if not missing:
        return expr
    return pl.when(functools.reduce(operator.or_, missing)).then(None).otherwise(expr)


def in_list(value: Column, items: Column) -> Column | None:
    """``value in list``; ``None`` for lists that may hold NaN."""
    if items.constant:
        if items.value is None:
            return literal(None, "bool")
        return is_in(value, [literal(item, value.type) for item in items.value])
    if value.nan or "double" in items.type:
        return None
    found = coerce(items, f"list({value.type})").expr.list.contains(value.expr)
    return derived((value, items), where_known((value,), found), "bool")


def _in_constants(value: Column, constants: Sequence[object]) -> Column | None:
    if value.type.startswith("list"):
        tests = [equals(value, literal(c, value.type)) for c in constants]
        exprs = [test.expr for test in tests if test is not None]
        if len(exprs) < len(tests):
            return None
        return derived((value,), functools.reduce(operator.or_, exprs), "bool")
    distinct = [c for c in dict.fromkeys(constants) if c == c]
    if value.type == "string" and len(distinct) <= STRINGS_AS_EQUALITIES_MAX:
        found = functools.reduce(operator.or_, (value.expr == pl.lit(c) for c in distinct))
    else:
        values = pl.Series([to_polars(c, value.type) for c in distinct], dtype=dtype(value.type))
        found = value.expr.is_in(values.implode())
    return derived((value,), found, "bool")


def _alike(a: Column, b: Column) -> tuple[Column, Column]:
    """An empty list takes the type of the other side."""
    if "dyn" in a.type and element(a.type) == "dyn":
        return coerce(a, b.type), b
    return a, coerce(b, a.type)


def _where_nan(condition: pl.Expr, value: bool, otherwise: pl.Expr) -> pl.Expr:
    return pl.when(condition).then(value).otherwise(otherwise)
