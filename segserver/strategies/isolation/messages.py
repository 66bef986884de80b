"""What the server and a plugin host process say to each other: msgpack in frames, typed and bounded.

A frame is a length (4 bytes), the number of the request (8 bytes), both big-endian, and so many bytes. A
reply carries the number of its request. Nothing is unpickled; what comes from the child is decoded to these
types, or it breaks the protocol and ends.

Values travel in rule form (a timestamp is an int of microseconds), which msgpack holds without loss.
"""

from __future__ import annotations

import struct
from typing import Any, TypeAlias

import msgspec

HEADER = struct.Struct(">IQ")

MESSAGE_BYTES_MAX = 1024 * 1024
"""One call or its answer. It also bounds how long decoding what a hostile child sends can take."""
ANSWER_BYTES_SPARE = 64 * 1024
"""What an answer may take beside its values: the names of failures, and its form."""
DECLARATION_BYTES_MAX = 8 * 1024 * 1024
"""What a distribution declares: up to some thousand segments."""


class Code(msgspec.Struct, frozen=True, array_like=True):
    """One code trait of a strategy under settings (JSON of what the catalog gives)."""

    strategy: str
    settings: bytes
    trait: str
    types: tuple[str, ...]
    """Of the attributes that it reads."""


class Asked(msgspec.Struct, array_like=True):
    """Inputs of one trait: for each, its arguments in rule form, an array."""

    code: Code
    rows: list[msgspec.Raw]


class Setup(msgspec.Struct, tag=True):
    """The first request: the limits to live under, and the entry points (name, value) to load."""

    memory_bytes_max: int
    cpu_s_max: int
    keep_out: list[str]
    """Folders that hold the server's own data."""
    path: list[str]
    """Folders beside the interpreter's own where modules are."""
    points: list[tuple[str, str]]


class Resolve(msgspec.Struct, tag=True):
    """Asks what a strategy is under these settings (JSON)."""

    strategy: str
    settings: bytes


class Warm(msgspec.Struct, tag=True):
    """Has the code of traits run on their examples, so that reference data are loaded."""

    codes: list[Code]


class Call(msgspec.Struct, tag=True):
    """Asks for the values of traits."""

    asked: list[Asked]


Request: TypeAlias = Setup | Resolve | Warm | Call


class Declared(msgspec.Struct, array_like=True):
    """A strategy before its settings are known."""

    name: str
    version: str
    title: str
    api: int
    attributes: list[dict[str, Any]]
    takes_defaults: bool
    fits: bool
    """Whether it learns of a population, which needs trust."""


class Plugin(msgspec.Struct, array_like=True):
    """What one entry point brought, or what is wrong with it."""

    plugin: str
    problem: str = ""
    strategies: list[Declared] = []
    functions: list[str] = []
    key_providers: list[str] = []


class Loaded(msgspec.Struct, tag=True):
    """The answer to :class:`Setup`. ``walls`` names what keeps the process in, besides resource limits."""

    walls: list[str]
    plugins: list[Plugin]


class Resolved(msgspec.Struct, tag=True):
    """A strategy under its settings (JSON, defaults included). Each noun is its fields; those of a code trait
    have ``coded`` in place of the code."""

    settings: bytes
    events: list[dict[str, Any]]
    computed: list[dict[str, Any]]
    traits: list[dict[str, Any]]
    segments: list[dict[str, Any]]


class Refused(msgspec.Struct, tag=True):
    """Why the settings or what follows from them can't be used: pairs of field and description."""

    violations: list[tuple[str, str]]


class Warmed(msgspec.Struct, tag=True):
    """The code has run."""


class Answers(msgspec.Struct, array_like=True):
    """One value in rule form for each input, or ``None``; and the type of the exception, by position, where
    the code failed."""

    values: list[Any]
    failed: dict[int, str]


class Answered(msgspec.Struct, tag=True):
    """The answer to :class:`Call`, in its order."""

    answers: list[Answers]


Reply: TypeAlias = Loaded | Resolved | Refused | Warmed | Answered

_ENCODER = msgspec.msgpack.Encoder()
_REQUESTS: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_REPLIES: msgspec.msgpack.Decoder[Reply] = msgspec.msgpack.Decoder(Reply)


def encode(message: Request | Reply) -> bytes:
    """A message as bytes, without its frame."""
    return _ENCODER.encode(message)


def row(arguments: tuple[Any, ...] | list[Any]) -> bytes:
    """Arguments in rule form as bytes: equal exactly for equal arguments, ``0.0`` and ``-0.0`` apart."""
    return _ENCODER.encode(arguments)


def request(payload: bytes) -> Request:
    """The request in these bytes. Raises :class:`msgspec.MsgspecError`."""
    return _REQUESTS.decode(payload)


def reply(payload: bytes) -> Reply:
    """The reply in these bytes. Raises :class:`ValueError`."""
    try:
        return _REPLIES.decode(payload)
    except RecursionError:
        raise ValueError("nested too deeply") from None
