"""What each strict built-in function does to known values in rule form, by overload id; ``None`` is an error.

Not here: the logic, which isn't strict; ``known`` and ``bucket``, which need more than values; ``type_is``.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from segserver.rules import arithmetic, calendar, conversions, own, strings, times

_ORDERINGS = {
    "less": operator.lt,
    "less_equals": operator.le,
    "greater": operator.gt,
    "greater_equals": operator.ge,
}
_ORDERED = ("bool", "int64", "double", "string", "timestamp", "duration")


def _equals(left: Any, right: Any) -> bool:
    return arithmetic.equal_lists(left, right) if isinstance(left, tuple) else bool(left == right)


def _not_equals(left: Any, right: Any) -> bool:
    return not _equals(left, right)


def _identity(value: Any) -> Any:
    return value


def _contains(text: str, part: str) -> bool:
    return part in text


def _index(items: tuple[Any, ...], position: int) -> Any:
    return items[position] if 0 <= position < len(items) else None


def _shifted(duration: int, timestamp: int) -> int | None:
    return times.shift(timestamp, duration)


SCALARS: dict[str, Callable[..., Any]] = {
    "equals": _equals,
    "not_equals": _not_equals,
    **{f"{word}_{suffix}": compare for word, compare in _ORDERINGS.items() for suffix in _ORDERED},
    "add_int64": arithmetic.add,
    "add_double": operator.add,
    "add_string": operator.add,
    "add_list": operator.add,
    "add_timestamp_duration": times.shift,
    "add_duration_timestamp": _shifted,
    "add_duration_duration": times.add_spans,
    "subtract_int64": arithmetic.subtract,
    "subtract_double": operator.sub,
    "subtract_timestamp_timestamp": times.span,
    "subtract_timestamp_duration": times.shift_back,
    "subtract_duration_duration": times.span,
    "multiply_int64": arithmetic.multiply,
    "multiply_double": operator.mul,
    "divide_int64": arithmetic.divide,
    "divide_double": arithmetic.divide_double,
    "modulo_int64": arithmetic.modulo,
    "negate_int64": arithmetic.negate,
    "negate_double": operator.neg,
    "in_list": arithmetic.in_list,
    "index_list": _index,
    "size_string": len,
    "string_size": len,
    "size_list": len,
    "list_size": len,
    "contains_string": _contains,
    "starts_with_string": str.startswith,
    "ends_with_string": str.endswith,
    "matches": strings.matches,
    "matches_string": strings.matches,
    "string_lower_ascii": strings.lower_ascii,
    "string_upper_ascii": strings.upper_ascii,
    "string_trim": strings.trim,
    "string_split_string": strings.split,
    "string_split_string_int": strings.split,
    "string_replace_string_string": strings.replace,
    "string_replace_string_string_int": strings.replace,
    "string_substring_int": strings.substring,
    "string_substring_int_int": strings.substring,
    "string_index_of_string": strings.index_of,
    "string_index_of_string_int": strings.index_of,
    "bool_to_bool": _identity,
    "string_to_bool": conversions.string_to_bool,
    "int64_to_int64": _identity,
    "double_to_int64": conversions.double_to_int,
    "string_to_int64": conversions.string_to_int,
    "timestamp_to_int64": times.to_seconds,
    "double_to_double": _identity,
    "int64_to_double": float,
    "string_to_double": conversions.string_to_double,
    "string_to_string": _identity,
    "bool_to_string": conversions.bool_to_string,
    "int64_to_string": str,
    "double_to_string": conversions.double_to_string,
    "timestamp_to_string": times.timestamp_text,
    "duration_to_string": times.duration_text,
    "timestamp_to_timestamp": _identity,
    "int64_to_timestamp": times.from_seconds,
    "string_to_timestamp": times.parse_timestamp,
    "duration_to_duration": _identity,
    "string_to_duration": times.parse_duration,
    **{f"timestamp_to_{name}": part for name, part in calendar.PARTS.items()},
    **{f"timestamp_to_{name}_with_tz": calendar.in_zone(part) for name, part in calendar.PARTS.items()},
    "duration_to_hours": calendar.duration_hours,
    "duration_to_minutes": calendar.duration_minutes,
    "duration_to_seconds": calendar.duration_seconds,
    "duration_to_milliseconds": calendar.duration_milliseconds,
    "distance_km": own.distance_km,
    "version_compare": own.version_compare,
}
