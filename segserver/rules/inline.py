"""Built-in functions that are written into the generated Python instead of being called."""

from __future__ import annotations

from dataclasses import dataclass

from segserver.model import INT64_MAX, INT64_MIN
from segserver.rules.times import SECOND, SPAN_MAX, SPAN_MIN, TIMESTAMP_MAX, TIMESTAMP_MIN
from segserver.rules.tree import Call, Literal


@dataclass(frozen=True, slots=True)
class Template:
    """Python for a call: ``{0}``, ``{1}`` are the arguments. ``check`` says when the result ``{t}`` is not an
    error.
    """

    code: str
    check: str = ""


_INT64 = f"{INT64_MIN} <= {{t}} <= {INT64_MAX}"
_TIMESTAMP = f"{TIMESTAMP_MIN} <= {{t}} <= {TIMESTAMP_MAX}"
_SPAN = f"{SPAN_MIN} <= {{t}} <= {SPAN_MAX}"
_ORDERED = ("bool", "int64", "double", "string", "timestamp", "duration")
_ORDERINGS = {"less": "<", "less_equals": "<=", "greater": ">", "greater_equals": ">="}

TEMPLATES: dict[str, Template] = {
    **{
        f"{word}_{suffix}": Template(f"{{0}} {sign} {{1}}")
        for word, sign in _ORDERINGS.items()
        for suffix in _ORDERED
    },
    "equals": Template("{0} == {1}"),
    "not_equals": Template("{0} != {1}"),
    "add_int64": Template("{0} + {1}", _INT64),
    "subtract_int64": Template("{0} - {1}", _INT64),
    "multiply_int64": Template("{0} * {1}", _INT64),
    "negate_int64": Template("-{0}", _INT64),
    "add_double": Template("{0} + {1}"),
    "subtract_double": Template("{0} - {1}"),
    "multiply_double": Template("{0} * {1}"),
    "negate_double": Template("-{0}"),
    "add_string": Template("{0} + {1}"),
    "add_list": Template("{0} + {1}"),
    "add_timestamp_duration": Template("{0} + {1}", _TIMESTAMP),
    "add_duration_timestamp": Template("{0} + {1}", _TIMESTAMP),
    "subtract_timestamp_duration": Template("{0} - {1}", _TIMESTAMP),
    "subtract_timestamp_timestamp": Template("{0} - {1}", _SPAN),
    "add_duration_duration": Template("{0} + {1}", _SPAN),
    "subtract_duration_duration": Template("{0} - {1}", _SPAN),
    "in_list": Template("{0} in {1}"),
    "size_string": Template("len({0})"),
    "string_size": Template("len({0})"),
    "size_list": Template("len({0})"),
    "list_size": Template("len({0})"),
    "contains_string": Template("{1} in {0}"),
    "starts_with_string": Template("{0}.startswith({1})"),
    "ends_with_string": Template("{0}.endswith({1})"),
    "bool_to_bool": Template("{0}"),
    "int64_to_int64": Template("{0}"),
    "double_to_double": Template("{0}"),
    "string_to_string": Template("{0}"),
    "timestamp_to_timestamp": Template("{0}"),
    "duration_to_duration": Template("{0}"),
    "int64_to_double": Template("float({0})"),
    "int64_to_string": Template("str({0})"),
    "timestamp_to_int64": Template(f"{{0}} // {SECOND}"),
    "timestamp_to_hours": Template(f"{{0}} // {3_600 * SECOND} % 24"),
    "timestamp_to_minutes": Template(f"{{0}} // {60 * SECOND} % 60"),
    "timestamp_to_seconds": Template(f"{{0}} // {SECOND} % 60"),
}

INFALLIBLE = frozenset(
    {
        *("string_lower_ascii", "string_upper_ascii", "string_trim", "string_split_string"),
        *("string_split_string_int", "string_replace_string_string", "string_replace_string_string_int"),
        *("bool_to_string", "double_to_string", "timestamp_to_string", "duration_to_string"),
        *("timestamp_to_year", "timestamp_to_month", "timestamp_to_day_of_month_1_based"),
        *("timestamp_to_day_of_month", "timestamp_to_day_of_week", "timestamp_to_day_of_year"),
        *("timestamp_to_milliseconds", "duration_to_hours", "duration_to_minutes", "duration_to_seconds"),
        *("duration_to_milliseconds", "divide_double", "equals", "not_equals", "in_list"),
    }
)
"""Built-in functions that are called, and never fail for values of their types."""

_LIMITS = {
    "add_int64": (INT64_MIN, INT64_MAX),
    "subtract_int64": (INT64_MIN, INT64_MAX),
    "add_timestamp_duration": (TIMESTAMP_MIN, TIMESTAMP_MAX),
    "subtract_timestamp_duration": (TIMESTAMP_MIN, TIMESTAMP_MAX),
}


def one_sided(call: Call) -> str:
    """A cheaper check for a sum with a literal, which can only leave the range on one side; else empty."""
    last = call.args[-1]
    if call.overload not in _LIMITS or not isinstance(last, Literal):
        return ""
    low, high = _LIMITS[call.overload]
    grows = (last.value >= 0) == call.overload.startswith("add")
    return f"{{t}} <= {high}" if grows else f"{{t}} >= {low}"
