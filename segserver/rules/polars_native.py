"""The table of strict functions that have an exact Polars expression, by CEL's overload.

A function takes the columns of its arguments and returns the column of its result, or ``None`` when it has
no exact expression for these arguments. What isn't here is computed by the scalar form, once for each
distinct input.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Final

from segserver.rules import polars_arithmetic as arithmetic
from segserver.rules import polars_compare as compare
from segserver.rules import polars_lists as lists
from segserver.rules import polars_own as own
from segserver.rules import polars_text as text
from segserver.rules import polars_time as time
from segserver.rules.polars_column import Column, derived, dtype, when

_ORDERINGS: Final = {
    "less": operator.lt,
    "less_equals": operator.le,
    "greater": operator.gt,
    "greater_equals": operator.ge,
}
_ORDERED: Final = ("bool", "int64", "double", "string", "timestamp", "duration")
_DURATION_PARTS: Final = ("hours", "minutes", "seconds", "milliseconds")


def _same(value: Column) -> Column:
    return value


def _to_double(value: Column) -> Column:
    return derived((value,), value.expr.cast(dtype("double")), "double")


def _to_int(value: Column) -> Column:
    """``int(double)`` truncates; what isn't strictly between -2**63 and 2**63 is unknown, as in Google's
    evaluator.
    """
    inside = (value.expr > -(2.0**63)) & (value.expr < 2.0**63)
    return derived((value,), when(inside, value.expr).cast(dtype("int"), strict=False), "int", nullable=True)


NATIVE: Final[dict[str, Callable[..., Column | None]]] = {
    "equals": compare.equals,
    "not_equals": compare.not_equals,
    **{
        f"{word}_{type_name}": compare.ordering(function)
        for word, function in _ORDERINGS.items()
        for type_name in _ORDERED
    },
    "in_list": compare.in_list,
    "add_int64": arithmetic.add,
    "subtract_int64": arithmetic.subtract,
    "multiply_int64": arithmetic.multiply,
    "divide_int64": arithmetic.divide,
    "modulo_int64": arithmetic.modulo,
    "negate_int64": arithmetic.negate,
    "add_double": arithmetic.add_double,
    "subtract_double": arithmetic.subtract_double,
    "multiply_double": arithmetic.multiply_double,
    "divide_double": arithmetic.divide_double,
    "negate_double": arithmetic.negate_double,
    "add_timestamp_duration": arithmetic.shift("timestamp", 1),
    "add_duration_timestamp": arithmetic.shift("timestamp", 1),
    "add_duration_duration": arithmetic.shift("duration", 1),
    "subtract_timestamp_timestamp": arithmetic.shift("duration", -1),
    "subtract_timestamp_duration": arithmetic.shift("timestamp", -1),
    "subtract_duration_duration": arithmetic.shift("duration", -1),
    "add_string": text.concat,
    "size_string": text.size,
    "string_size": text.size,
    "contains_string": text.contains,
    "starts_with_string": text.starts_with,
    "ends_with_string": text.ends_with,
    "matches": text.matches,
    "matches_string": text.matches,
    "string_lower_ascii": text.lower_ascii,
    "string_upper_ascii": text.upper_ascii,
    "string_trim": text.trim,
    "string_split_string": text.split,
    "string_replace_string_string": text.replace,
    "string_index_of_string": text.index_of,
    "int64_to_string": text.from_int,
    "bool_to_string": text.from_bool,
    "add_list": lists.concat,
    "size_list": lists.size,
    "list_size": lists.size,
    "index_list": lists.index,
    **{f"timestamp_to_{part}": time.accessor(part) for part in time.PARTS},
    **{f"timestamp_to_{part}_with_tz": time.zoned_accessor(part) for part in time.PARTS},
    **{f"duration_to_{part}": time.duration_part(part) for part in _DURATION_PARTS},
    "timestamp_to_int64": time.to_seconds,
    "int64_to_timestamp": time.from_seconds,
    "double_to_int64": _to_int,
    "int64_to_double": _to_double,
    "distance_km": own.distance_km,
    **{f"{name}_to_{name}": _same for name in ("bool", "int64", "double", "string", "timestamp", "duration")},
}
