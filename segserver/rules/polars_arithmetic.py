"""CEL's arithmetic in Polars: int64 overflow and division by zero are unknown, division truncates toward
zero.

Polars' integers wrap silently and its division floors. Overflow is found by comparing signs or by a bound
on the operand, and only where the ranges of the operands allow it. Times are int64 microseconds, whose sums
can't wrap: their ranges end far below 2**62.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import polars as pl

from segserver.model import INT64_MAX, INT64_MIN
from segserver.rules.polars_column import Column, column, derived, dtype, literal, when
from segserver.rules.times import SPAN_MAX, SPAN_MIN, TIMESTAMP_MAX, TIMESTAMP_MIN

_RANGES = {"timestamp": (TIMESTAMP_MIN, TIMESTAMP_MAX), "duration": (SPAN_MIN, SPAN_MAX)}


def add(a: Column, b: Column) -> Column:
    """``int + int``."""
    low, high = a.low + b.low, a.high + b.high
    total = a.expr + b.expr
    if _fits(low, high):
        return derived((a, b), total, "int", low=low, high=high)
    if a.constant:
        a, b = b, a
    if b.constant:
        safe = a.expr <= INT64_MAX - b.value if b.value > 0 else a.expr >= INT64_MIN - b.value
    else:
        safe = (total >= a.expr) == (b.expr >= 0)
    return column(when(safe, total), "int", low=max(low, INT64_MIN), high=min(high, INT64_MAX))


def subtract(a: Column, b: Column) -> Column:
    """``int - int``."""
    low, high = a.low - b.high, a.high - b.low
    difference = a.expr - b.expr
    if _fits(low, high):
        return derived((a, b), difference, "int", low=low, high=high)
    if b.constant:
        safe = a.expr >= INT64_MIN + b.value if b.value > 0 else a.expr <= INT64_MAX + b.value
    else:
        safe = (difference <= a.expr) == (b.expr >= 0)
    return column(when(safe, difference), "int", low=max(low, INT64_MIN), high=min(high, INT64_MAX))


def multiply(a: Column, b: Column) -> Column:
    """``int * int``."""
    corners = [x * y for x in (a.low, a.high) for y in (b.low, b.high)]
    low, high = min(corners), max(corners)
    if _fits(low, high):
        return derived((a, b), a.expr * b.expr, "int", low=low, high=high)
    if a.constant:
        a, b = b, a
    if b.constant and b.value not in (0, -1):
        first, last = sorted((_toward_zero(INT64_MIN, b.value), _toward_zero(INT64_MAX, b.value)))
        product = when(a.expr.is_between(first, last), a.expr * b.expr)
    else:
        product = (a.expr.cast(pl.Int128()) * b.expr.cast(pl.Int128())).cast(dtype("int"), strict=False)
    return column(product, "int", low=max(low, INT64_MIN), high=min(high, INT64_MAX))


def negate(a: Column) -> Column:
    """``-int``."""
    if a.low > INT64_MIN:
        return derived((a,), -a.expr, "int", low=-a.high, high=-a.low)
    return column(when(a.expr != INT64_MIN, -a.expr), "int", low=INT64_MIN + 1)


def divide(a: Column, b: Column) -> Column:
    """``int / int``, truncated toward zero."""
    largest = max(abs(a.low), abs(a.high))
    facts = {"low": -largest if a.low < 0 or b.low < 0 else 0, "high": min(largest, INT64_MAX)}
    facts["low"] = max(facts["low"], INT64_MIN)
    if b.constant:
        if b.value == 0:
            return literal(None, "int")
        if b.value == -1:
            return negate(a)
        if b.value > 0:
            return derived((a,), _divide_by(a, b.value), "int", **facts)
    quotient = a.expr // b.expr
    inexact_negative = (quotient * b.expr != a.expr) & ((a.expr ^ b.expr) < 0)
    truncated = pl.when(inexact_negative).then(quotient + 1).otherwise(quotient)
    if a.low == INT64_MIN and b.low <= -1 <= b.high:
        truncated = when((a.expr != INT64_MIN) | (b.expr != -1), truncated)
    return column(truncated, "int", **facts)


def modulo(a: Column, b: Column) -> Column:
    """``int % int``, with the sign of the dividend."""
    if b.constant and b.value == 0:
        return literal(None, "int")
    if b.constant and b.value > 0 and a.low >= 0:
        return derived((a,), a.expr % b.value, "int", low=0, high=b.value - 1)
    quotient = divide(a, b)
    return column(a.expr - quotient.expr * b.expr, "int", nullable=quotient.nullable)


def shift(type_name: str, sign: int) -> Callable[[Column, Column], Column]:
    """Addition or subtraction over times, as ``type_name``; beyond the type's range it is unknown."""

    def calculate(a: Column, b: Column) -> Column:
        low, high = (a.low + b.low, a.high + b.high) if sign > 0 else (a.low - b.high, a.high - b.low)
        result = a.expr + b.expr if sign > 0 else a.expr - b.expr
        first, last = _RANGES[type_name]
        if first <= low and high <= last:
            return derived((a, b), result, type_name, low=low, high=high)
        checks = [result >= literal(first, type_name).expr] if low < first else []
        checks += [result <= literal(last, type_name).expr] if high > last else []
        safe = checks[0] if len(checks) == 1 else checks[0] & checks[1]
        return column(when(safe, result), type_name, low=max(low, first), high=min(high, last))

    return calculate


def add_double(a: Column, b: Column) -> Column:
    """``double + double``, IEEE 754."""
    expr = _signed_zero(a.expr + b.expr) if _is_zero(a) or _is_zero(b) else a.expr + b.expr
    return _double((a, b), expr, nan=a.infinite and b.infinite)


def subtract_double(a: Column, b: Column) -> Column:
    """``double - double``, IEEE 754."""
    expr = _signed_zero(a.expr - b.expr) if _is_zero(a) else a.expr - b.expr
    return _double((a, b), expr, nan=a.infinite and b.infinite)


def multiply_double(a: Column, b: Column) -> Column:
    """``double * double``, IEEE 754."""
    return _double((a, b), a.expr * b.expr, nan=a.infinite or b.infinite)


def divide_double(a: Column, b: Column) -> Column:
    """``double / double``, IEEE 754: by zero it is infinite or NaN."""
    never_zero = b.constant and b.value != 0
    # Polars divides a column by one number as a product with its reciprocal, which rounds twice; a divisor of
    # the same length is divided by.
    divisor = b.expr * a.expr.is_not_null().cast(pl.Float64())
    return _double((a, b), a.expr / divisor, nan=not never_zero or (a.infinite and b.infinite))


def negate_double(a: Column) -> Column:
    """``-double``."""
    return derived((a,), -a.expr, "double", nan=a.nan, infinite=a.infinite)


def _is_zero(a: Column) -> bool:
    return a.constant and a.value == 0.0 and math.copysign(1.0, a.value) > 0


def _signed_zero(expr: pl.Expr) -> pl.Expr:
    """Zero without a sign. Polars takes ``x + 0.0`` for ``x`` and ``0.0 - x`` for ``-x``, which differ at
    zero.
    """
    return pl.when(expr == 0.0).then(0.0).otherwise(expr)


def _double(args: tuple[Column, ...], expr: pl.Expr, *, nan: bool) -> Column:
    return derived(args, expr, "double", nan=nan or any(a.nan for a in args), infinite=True)


def _fits(low: int, high: int) -> bool:
    return low >= INT64_MIN and high <= INT64_MAX


def _toward_zero(a: int, b: int) -> int:
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def _divide_by(a: Column, divisor: int) -> pl.Expr:
    floor = a.expr // divisor
    if a.low >= 0:
        return floor
    return pl.when(a.expr < 0).then((a.expr + (divisor - 1)) // divisor).otherwise(floor)
