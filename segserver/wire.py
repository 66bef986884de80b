"""Values on the wire: Python values to and from ``segserver.v1.Value``, for both ends of a call.

What is read is checked, so that nothing behind this module meets a double that is not finite, a time outside
the years 1 to 9999 or a fraction of a microsecond. Whether a value fits its attribute's type is for the
catalog to say.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from segserver.errors import InvalidInput, Violation
from segserver.model import Value, check_value
from segserver.v1 import value_pb2

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
VIOLATIONS_MAX = 16
"""So many wrong values of one subject are reported together."""
_SECONDS_MIN, _SECONDS_MAX = -62_135_596_800, 253_402_300_799
"""0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z, the range that google.protobuf.Timestamp documents."""


def value_to_proto(value: Value, field: str = "value") -> value_pb2.Value:
    """``value`` as a message.

    Raises:
        InvalidInput: about ``field``, for what :func:`segserver.model.check_value` refuses, and other types.
    """
    try:
        return _TO_PROTO[type(value)](value)
    except (KeyError, ValueError, TypeError, InvalidInput):
        return _careful_value_to_proto(value, field)


def value_from_proto(message: value_pb2.Value, field: str = "value") -> Value:
    """The value in ``message``: a timestamp as an aware datetime in UTC, a list of string as a tuple.

    Raises:
        InvalidInput: about ``field``, when nothing is set, a double is not finite or a time is out of range.
    """
    kind = message.WhichOneof("kind")
    if kind is None:
        raise InvalidInput.of(field, "holds no value; leave it out instead", reason="VALUE_MISSING")
    value = getattr(message, kind)
    if kind == "double_value":
        return value if math.isfinite(value) else check_value(field, value, "double")
    if kind == "timestamp_value":
        return timestamp_from_proto(value, field)
    if kind == "string_list_value":
        return tuple(value.values)
    return value  # type: ignore[no-any-return]  # the three left are Python's own bool, int and str


def attributes_to_proto(attributes: Mapping[str, Value], field: str = "attributes") -> value_pb2.Attributes:
    """Attribute values by name as a message; wrong ones are reported together.

    Raises:
        InvalidInput: with a violation ``field.values[name]`` for each value that is refused.
    """
    return value_pb2.Attributes(values=_each(attributes, value_to_proto, field))


def attributes_from_proto(message: value_pb2.Attributes, field: str = "attributes") -> dict[str, Value]:
    """The attribute values in ``message`` by name; wrong ones are reported together.

    Raises:
        InvalidInput: with a violation ``field.values[name]`` for each value that is refused.
    """
    return _each(message.values, value_from_proto, field)


def timestamp_to_proto(time: dt.datetime, field: str = "time") -> Timestamp:
    """A moment as a message, to the microsecond.

    Raises:
        InvalidInput: about ``field``, for a time without a zone, or outside the years 1 to 9999 in UTC.
    """
    if time.tzinfo is None:
        check_value(field, time, "timestamp")
    since = time - _EPOCH
    seconds = since.days * 86_400 + since.seconds
    if not _SECONDS_MIN <= seconds <= _SECONDS_MAX:
        raise InvalidInput.of(field, "expected a time in the years 1 to 9999", reason="VALUE_TYPE_MISMATCH")
    return Timestamp(seconds=seconds, nanos=since.microseconds * 1_000)


def timestamp_from_proto(message: Timestamp, field: str = "time") -> dt.datetime:
    """The moment in ``message``, aware, in UTC.

    Raises:
        InvalidInput: about ``field``, for a time outside the years 1 to 9999, malformed nanos, or a fraction
            finer than a microsecond: a datetime can't hold it, and rounding could turn a comparison around.
    """
    return _EPOCH + dt.timedelta(microseconds=timestamp_us_from_proto(message, field))


def timestamp_us_from_proto(message: Timestamp, field: str = "time") -> int:
    """The moment in ``message`` as microseconds since the epoch; raises like :func:`timestamp_from_proto`."""
    seconds, nanos = message.seconds, message.nanos
    if not _SECONDS_MIN <= seconds <= _SECONDS_MAX or not 0 <= nanos <= 999_999_999:
        raise InvalidInput.of(field, "expected a time in the years 1 to 9999", reason="VALUE_TYPE_MISMATCH")
    microseconds, rest = divmod(nanos, 1_000)
    if rest:
        raise InvalidInput.of(field, "finer than a microsecond", reason="VALUE_TYPE_MISMATCH")
    return seconds * 1_000_000 + microseconds


def _each(values: Mapping[str, Any], convert: Callable[[Any, str], Any], field: str) -> dict[str, Any]:
    try:
        return {name: convert(value, field) for name, value in values.items()}
    except InvalidInput:
        return _each_named(values, convert, field)


def _each_named(values: Mapping[str, Any], convert: Callable[[Any, str], Any], field: str) -> dict[str, Any]:
    """As :func:`_each`, with every value's own name in the error: too slow where all is well."""
    converted: dict[str, Any] = {}
    violations: list[Violation] = []
    reason = ""
    for name, value in values.items():
        if len(violations) >= VIOLATIONS_MAX:
            break
        try:
            converted[name] = convert(value, f"{field}.values[{name}]")
        except InvalidInput as error:
            violations += error.violations
            reason = reason or error.reason
    if violations:
        message = "; ".join(f"{v.field}: {v.description}" for v in violations)
        raise InvalidInput(message, reason=reason, violations=violations)
    return converted


def _careful_value_to_proto(value: object, field: str) -> value_pb2.Value:
    """As :func:`value_to_proto`, for subclasses and lists too, and with errors that name the field."""
    for kind, name in _TYPES:
        if isinstance(value, kind):
            checked = check_value(field, value, name)
            if isinstance(checked, dt.datetime):
                return value_pb2.Value(timestamp_value=timestamp_to_proto(checked, field))
            return _TO_PROTO[tuple if kind is list else kind](checked)
    raise InvalidInput.of(
        field,
        f"expected a bool, int, double, string, timestamp or list of string, got {type(value).__name__}",
        reason="VALUE_TYPE_MISMATCH",
    )


def _double(value: float) -> value_pb2.Value:
    if not math.isfinite(value):
        raise ValueError
    return value_pb2.Value(double_value=value)


_TO_PROTO: dict[type, Callable[[Any], value_pb2.Value]] = {
    bool: lambda value: value_pb2.Value(bool_value=value),
    int: lambda value: value_pb2.Value(int_value=value),
    float: _double,
    str: lambda value: value_pb2.Value(string_value=value),
    dt.datetime: lambda value: value_pb2.Value(timestamp_value=timestamp_to_proto(value)),
    tuple: lambda value: value_pb2.Value(string_list_value=value_pb2.StringList(values=value)),
}

_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "bool"),
    (int, "int"),
    (float, "double"),
    (str, "string"),
    (dt.datetime, "timestamp"),
    (tuple, "list(string)"),
    (list, "list(string)"),
)
"""A bool is an int to Python, so it comes first."""
