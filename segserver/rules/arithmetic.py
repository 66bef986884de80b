"""Arithmetic on values in rule form, as CEL does it; ``None`` is an error."""

from __future__ import annotations

import math

from segserver.model import INT64_MAX, INT64_MIN

_NEGATIVE_NAN = math.copysign(math.nan, -1.0)


def in_int64(value: int) -> int | None:
    """The value, or ``None`` beyond 64 bits."""
    return value if INT64_MIN <= value <= INT64_MAX else None


def add(left: int, right: int) -> int | None:
    """The sum of two ints."""
    return in_int64(left + right)


def subtract(left: int, right: int) -> int | None:
    """The difference of two ints."""
    return in_int64(left - right)


def multiply(left: int, right: int) -> int | None:
    """The product of two ints."""
    return in_int64(left * right)


def divide(left: int, right: int) -> int | None:
    """The quotient, truncated toward zero."""
    if right == 0:
        return None
    quotient = abs(left) // abs(right)
    return in_int64(quotient if (left < 0) == (right < 0) else -quotient)


def modulo(left: int, right: int) -> int | None:
    """The remainder, with the sign of the dividend. The smallest int modulo -1 is an overflow, as in C++."""
    if right == 0 or (left == INT64_MIN and right == -1):
        return None
    remainder = abs(left) % abs(right)
    return remainder if left >= 0 else -remainder


def negate(value: int) -> int | None:
    """The int with its sign turned."""
    return in_int64(-value)


def divide_double(left: float, right: float) -> float:
    """The IEEE 754 quotient: by zero it is an infinity, or NaN."""
    if right != 0.0:
        return left / right
    if math.isnan(left):
        return left
    if left == 0.0:
        return _NEGATIVE_NAN  # what x86 computes, and what string() then shows
    return math.copysign(math.inf, left) * math.copysign(1.0, right)


def equal_lists(left: tuple[object, ...], right: tuple[object, ...]) -> bool:
    """Whether two lists that may hold NaN are equal: tuples take an object as equal to itself, CEL does
    not.
    """
    return len(left) == len(right) and all(
        equal_lists(a, b) if isinstance(a, tuple) and isinstance(b, tuple) else bool(a == b)
        for a, b in zip(left, right, strict=True)
    )


def in_list(value: object, items: tuple[object, ...]) -> bool:
    """Whether a value is in a list; NaN is in none."""
    if isinstance(value, tuple):
        return any(isinstance(item, tuple) and equal_lists(value, item) for item in items)
    return any(value == item for item in items)
