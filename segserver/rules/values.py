"""Between public values (:data:`segserver.model.Value`) and rule form."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

from segserver.model import TYPE_NAMES, Value, check_value
from segserver.rules.times import from_datetime, to_datetime


def to_rule(value: Value, type_name: str) -> Any:
    """A checked value of the named type in rule form."""
    if type_name == "timestamp":
        assert isinstance(value, dt.datetime)  # noqa: S101 - for the type checker; check_value has seen to it
        return from_datetime(value)
    if type_name == "double":
        return float(value)  # type: ignore[arg-type]
    return tuple(value) if isinstance(value, list | tuple) else value


def from_rule(value: Any, type_name: str) -> Any:
    """A value in rule form as the public one: a timestamp as an aware datetime, a duration as a timedelta.

    ``None``, an unknown, stays ``None``.
    """
    if value is None:
        return None
    if type_name == "timestamp":
        return to_datetime(value)
    if type_name == "duration":
        return dt.timedelta(microseconds=value)
    if type_name.startswith("list("):
        return tuple(from_rule(item, type_name[5:-1]) for item in value)
    return value


def adapt(
    function: Callable[..., Value | None], parameters: Sequence[str], result: str
) -> Callable[..., Any]:
    """A function of public values as one of values in rule form.

    ``None`` from the function stays ``None``. Raises what the function raises, and
    :class:`~segserver.errors.InvalidInput` when it returns a value of another type.
    """
    if result not in TYPE_NAMES:
        raise ValueError(result)
    moments = [index for index, type_name in enumerate(parameters) if type_name == "timestamp"]

    def scalar(*args: Any) -> Any:
        if moments:
            given = list(args)
            for index in moments:
                given[index] = to_datetime(given[index])
            value = function(*given)
        else:
            value = function(*args)
        return None if value is None else to_rule(check_value("result", value, result), result)

    return scalar
