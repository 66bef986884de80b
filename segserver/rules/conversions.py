"""CEL's conversions between types, on values in rule form; ``None`` is an error."""

from __future__ import annotations

import math
import re
from decimal import Decimal

from segserver.rules.arithmetic import in_int64

_SPACE = " \t\n\v\f\r"
_INT = re.compile(r"[+-]?\d{1,40}", re.ASCII)
_DECIMAL = re.compile(
    r"[+-]?(?:(?:\d++(?:\.\d*+)?|\.\d++)(?:e[+-]?\d++)?|inf(?:inity)?|nan)", re.ASCII | re.IGNORECASE
)
"""Possessive: digits that could be split in two ways would cost the square of their number."""
_HEX = re.compile(
    r"[+-]?0x(?:[0-9a-f]++(?:\.[0-9a-f]*+)?|\.[0-9a-f]++)(?:p[+-]?\d++)?", re.ASCII | re.IGNORECASE
)
_TRUE = frozenset({"1", "t", "true", "TRUE", "True"})
_FALSE = frozenset({"0", "f", "false", "FALSE", "False"})
_TWO_63 = 2.0**63


def double_to_int(value: float) -> int | None:
    """The double, truncated toward zero. The bounds themselves are out of range."""
    return int(value) if -_TWO_63 < value < _TWO_63 else None


def string_to_int(text: str) -> int | None:
    """A decimal number, with white space around it allowed."""
    stripped = text.strip(_SPACE)
    return in_int64(int(stripped)) if _INT.fullmatch(stripped) else None


def string_to_double(text: str) -> float | None:
    """A decimal or hexadecimal number, ``inf`` or ``nan``; too large a number is an infinity."""
    stripped = text.strip(_SPACE)
    if _DECIMAL.fullmatch(stripped):
        return float(stripped)
    if _HEX.fullmatch(stripped):
        try:
            return float.fromhex(stripped)
        except OverflowError:
            return -math.inf if stripped.startswith("-") else math.inf
    return None


def string_to_bool(text: str) -> bool | None:
    """One of ten spellings of true and false."""
    if text in _TRUE:
        return True
    return False if text in _FALSE else None


def bool_to_string(value: bool) -> str:
    """``true`` or ``false``."""
    return "true" if value else "false"


def double_to_string(value: float) -> str:
    """The fewest digits that read back as the same double; from a million on with an exponent, as C's ``%g``
    does.
    """
    if math.isnan(value):
        return "-nan" if math.copysign(1.0, value) < 0 else "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if value == 0:
        return "-0" if math.copysign(1.0, value) < 0 else "0"
    sign = "-" if value < 0 else ""
    shortest = Decimal(repr(abs(value))).normalize()
    exponent = shortest.adjusted()
    if -4 <= exponent < 6:
        return f"{sign}{shortest:f}"
    first, *rest = (str(digit) for digit in shortest.as_tuple().digits)
    point = "." if rest else ""
    return f"{sign}{first}{point}{''.join(rest)}e{'-' if exponent < 0 else '+'}{abs(exponent):02}"
