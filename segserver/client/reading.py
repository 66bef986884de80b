"""Reads a message into the frozen dataclass that has its fields, by the dataclass's own annotations."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import types
from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from google.protobuf.message import Message

from segserver.errors import InvalidInput, SegserverError
from segserver.wire import attributes_from_proto, timestamp_from_proto

T = TypeVar("T")
_Convert = Callable[[Any], Any]


def read(kind: type[T], message: Message) -> T:
    """``message`` as ``kind``, a dataclass with fields of the same names.

    Raises:
        SegserverError: when the message holds what this version of the client can't represent, such as the
            number of an outcome that only a newer server knows.
    """
    try:
        return kind(
            *[
                None if optional and not message.HasField(name) else convert(getattr(message, name))
                for name, convert, optional in _plan(kind)  # type: ignore[arg-type]  # a class is hashable
            ]
        )
    except (ValueError, InvalidInput) as error:
        raise SegserverError(
            f"the reply holds a {kind.__name__} that this client can't read: {error}",
            reason="REPLY_UNREADABLE",
        ) from error


@functools.cache
def _plan(kind: type[Any]) -> tuple[tuple[str, _Convert, bool], ...]:
    hints = get_type_hints(kind)
    return tuple(
        (field.name, _converter(hints[field.name]), get_origin(hints[field.name]) is types.UnionType)
        for field in dataclasses.fields(kind)
    )


def _converter(hint: Any) -> _Convert:
    """How a field of a message becomes what ``hint`` says."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is types.UnionType:
        return _converter(arguments[0])
    if origin is tuple:
        if dataclasses.is_dataclass(arguments[0]):
            convert = _converter(arguments[0])
            return lambda items: tuple([convert(item) for item in items])
        return tuple
    if origin is Mapping:
        return attributes_from_proto
    if hint is dt.datetime:
        return timestamp_from_proto
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return functools.partial(read, hint)
    if isinstance(hint, type) and issubclass(hint, IntEnum):
        return hint
    return _unchanged


def _unchanged(value: Any) -> Any:
    return value
