"""Every function that a rule may call, but a plugin's: CEL's overload id, and the signature.

``@in``, ``type_is`` and the like are the names of operators, see :class:`segserver.rules.tree.Call`. What
isn't here is refused: maps, bytes, unsigned numbers, ``format``.
"""

from __future__ import annotations

from collections import defaultdict

from segserver.rules.signatures import Signature, parse_signature

_ORDERED = {
    "bool": "bool",
    "int": "int64",
    "double": "double",
    "string": "string",
    "timestamp": "timestamp",
    "duration": "duration",
}
_ORDERINGS = {"_<_": "less", "_<=_": "less_equals", "_>_": "greater", "_>=_": "greater_equals"}
_TIMESTAMP_PARTS = {
    "getFullYear": "year",
    "getMonth": "month",
    "getDate": "day_of_month_1_based",
    "getDayOfMonth": "day_of_month",
    "getDayOfWeek": "day_of_week",
    "getDayOfYear": "day_of_year",
    "getHours": "hours",
    "getMinutes": "minutes",
    "getSeconds": "seconds",
    "getMilliseconds": "milliseconds",
}

_TABLE = {
    "logical_and": "_&&_(bool, bool) -> bool",
    "logical_or": "_||_(bool, bool) -> bool",
    "logical_not": "!_(bool) -> bool",
    "conditional": "_?_:_(bool, A, A) -> A",
    "equals": "_==_(A, A) -> bool",
    "not_equals": "_!=_(A, A) -> bool",
    **{
        f"{word}_{suffix}": f"{operator}({type_name}, {type_name}) -> bool"
        for operator, word in _ORDERINGS.items()
        for type_name, suffix in _ORDERED.items()
    },
    "add_int64": "_+_(int, int) -> int",
    "add_double": "_+_(double, double) -> double",
    "add_string": "_+_(string, string) -> string",
    "add_list": "_+_(list(A), list(A)) -> list(A)",
    "add_timestamp_duration": "_+_(timestamp, duration) -> timestamp",
    "add_duration_timestamp": "_+_(duration, timestamp) -> timestamp",
    "add_duration_duration": "_+_(duration, duration) -> duration",
    "subtract_int64": "_-_(int, int) -> int",
    "subtract_double": "_-_(double, double) -> double",
    "subtract_timestamp_timestamp": "_-_(timestamp, timestamp) -> duration",
    "subtract_timestamp_duration": "_-_(timestamp, duration) -> timestamp",
    "subtract_duration_duration": "_-_(duration, duration) -> duration",
    "multiply_int64": "_*_(int, int) -> int",
    "multiply_double": "_*_(double, double) -> double",
    "divide_int64": "_/_(int, int) -> int",
    "divide_double": "_/_(double, double) -> double",
    "modulo_int64": "_%_(int, int) -> int",
    "negate_int64": "-_(int) -> int",
    "negate_double": "-_(double) -> double",
    "in_list": "@in(A, list(A)) -> bool",
    "index_list": "_[_](list(A), int) -> A",
    "size_string": "size(string) -> int",
    "string_size": "string.size() -> int",
    "size_list": "size(list(A)) -> int",
    "list_size": "list(A).size() -> int",
    "contains_string": "string.contains(string) -> bool",
    "starts_with_string": "string.startsWith(string) -> bool",
    "ends_with_string": "string.endsWith(string) -> bool",
    "matches": "matches(string, string) -> bool",
    "matches_string": "string.matches(string) -> bool",
    "string_lower_ascii": "string.lowerAscii() -> string",
    "string_upper_ascii": "string.upperAscii() -> string",
    "string_trim": "string.trim() -> string",
    "string_split_string": "string.split(string) -> list(string)",
    "string_split_string_int": "string.split(string, int) -> list(string)",
    "string_replace_string_string": "string.replace(string, string) -> string",
    "string_replace_string_string_int": "string.replace(string, string, int) -> string",
    "string_substring_int": "string.substring(int) -> string",
    "string_substring_int_int": "string.substring(int, int) -> string",
    "string_index_of_string": "string.indexOf(string) -> int",
    "string_index_of_string_int": "string.indexOf(string, int) -> int",
    "bool_to_bool": "bool(bool) -> bool",
    "string_to_bool": "bool(string) -> bool",
    "int64_to_int64": "int(int) -> int",
    "double_to_int64": "int(double) -> int",
    "string_to_int64": "int(string) -> int",
    "timestamp_to_int64": "int(timestamp) -> int",
    "double_to_double": "double(double) -> double",
    "int64_to_double": "double(int) -> double",
    "string_to_double": "double(string) -> double",
    "string_to_string": "string(string) -> string",
    "bool_to_string": "string(bool) -> string",
    "int64_to_string": "string(int) -> string",
    "double_to_string": "string(double) -> string",
    "timestamp_to_string": "string(timestamp) -> string",
    "duration_to_string": "string(duration) -> string",
    "timestamp_to_timestamp": "timestamp(timestamp) -> timestamp",
    "int64_to_timestamp": "timestamp(int) -> timestamp",
    "string_to_timestamp": "timestamp(string) -> timestamp",
    "duration_to_duration": "duration(duration) -> duration",
    "string_to_duration": "duration(string) -> duration",
    **{f"timestamp_to_{part}": f"timestamp.{name}() -> int" for name, part in _TIMESTAMP_PARTS.items()},
    **{
        f"timestamp_to_{part}_with_tz": f"timestamp.{name}(string) -> int"
        for name, part in _TIMESTAMP_PARTS.items()
    },
    **{
        f"duration_to_{part}": f"duration.{name}() -> int"
        for name, part in _TIMESTAMP_PARTS.items()
        if part in ("hours", "minutes", "seconds", "milliseconds")
    },
    "known": "known(dyn) -> bool",
    "bucket": "bucket(string) -> double",
    "listed": "in_list(string) -> bool",
    "distance_km": "distance_km(double, double, double, double) -> double",
    "version_compare": "version_compare(string, string) -> int",
}

BUILTINS: dict[str, Signature] = {overload: parse_signature(text) for overload, text in _TABLE.items()}

OWN = frozenset({"known", "bucket", "listed", "distance_km", "version_compare"})
"""The functions that CEL doesn't have and segserver does."""

BY_NAME: dict[str, list[tuple[str, Signature]]] = defaultdict(list)
for _overload, _signature in BUILTINS.items():
    BY_NAME[_signature.name].append((_overload, _signature))
