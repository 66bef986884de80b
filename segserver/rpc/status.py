"""The error tree, translated once: to a gRPC status with ``ErrorInfo`` and field violations."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from urllib.parse import quote

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from google.rpc.status_pb2 import Status

from segserver import errors
from segserver.v1 import value_pb2

DOMAIN = "segserver"
DETAILS_KEY = "grpc-status-details-bin"
"""The trailer that carries a ``google.rpc.Status`` (the gRPC "richer error model")."""

MESSAGE_BYTES_MAX = 1_800
"""A message on the wire, where every byte beyond printable ASCII takes three."""
DETAILS_BYTES_MAX = 4_200
"""A serialized status with its details, which base64 makes a third longer.

A gRPC client refuses trailers beyond 8 KiB and then shows its user nothing of the error: both limits
together stay below.
"""
PART_CHARACTERS_MAX = 400
"""A field's name or a description."""
METADATA_CHARACTERS_MAX = 200
VIOLATIONS_MAX = 50
"""Of one request."""
PART_VIOLATIONS_MAX = 16
"""Of one part of a batch, which has a thousand."""
LEFT_OUT = "violations_left_out"
"""The metadata that says how many violations had no room."""

_OVERHEAD = 300
"""Bytes for reason, domain, type names and the number left out."""

_CODES: dict[type[errors.SegserverError], grpc.StatusCode] = {
    errors.InvalidInput: grpc.StatusCode.INVALID_ARGUMENT,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.Conflict: grpc.StatusCode.ABORTED,
    errors.PermissionDenied: grpc.StatusCode.PERMISSION_DENIED,
    errors.Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    errors.FailedPrecondition: grpc.StatusCode.FAILED_PRECONDITION,
    errors.LimitExceeded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.Unavailable: grpc.StatusCode.UNAVAILABLE,
    errors.DeadlineExceeded: grpc.StatusCode.DEADLINE_EXCEEDED,
    errors.IntegrityError: grpc.StatusCode.DATA_LOSS,
}


def code_of(error: errors.SegserverError) -> grpc.StatusCode:
    """The status code of an error: that of the nearest class of the tree."""
    return next((_CODES[kind] for kind in type(error).__mro__ if kind in _CODES), grpc.StatusCode.INTERNAL)


def message_of(error: errors.SegserverError) -> str:
    """The error's message, cut where it would take more of the trailers than :data:`MESSAGE_BYTES_MAX`."""
    message = error.message
    if len(quote(message, errors="replace")) <= MESSAGE_BYTES_MAX:
        return message.encode(errors="replace").decode()
    note = f" … ({len(message)} characters in all)"
    kept, size = 0, len(quote(note))
    for kept, character in enumerate(message):  # noqa: B007 - read after the loop
        size += len(quote(character, errors="replace"))
        if size > MESSAGE_BYTES_MAX:
            break
    return (message[:kept] + note).encode(errors="replace").decode()


def details_of(error: errors.SegserverError) -> bytes:
    """A serialized ``google.rpc.Status`` with an ``ErrorInfo``; a ``RetryInfo`` where the error says when to
    try again; a ``BadRequest`` where fields are wrong: as many violations as fit into
    :data:`DETAILS_BYTES_MAX`, and the number of the others in the metadata.
    """
    violations = [
        error_details_pb2.BadRequest.FieldViolation(field=v.field, description=v.description)
        for v in _shortened(error.violations)
    ]
    for violation in violations:
        violation.reason = error.reason
    status = Status(code=code_of(error).value[0], message=message_of(error))
    metadata = {name: _short(value, METADATA_CHARACTERS_MAX) for name, value in error.metadata.items()}
    room = (
        DETAILS_BYTES_MAX - status.ByteSize() - sum(len(n) + len(v.encode()) + 8 for n, v in metadata.items())
    )
    kept = 0
    for violation in violations:
        room -= violation.ByteSize() + 4
        if room < _OVERHEAD:
            break
        kept += 1
    if kept < len(error.violations):
        metadata[LEFT_OUT] = str(len(error.violations) - kept)
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=metadata)
    status.details.append(_packed(info))
    if isinstance(error, errors.LimitExceeded) and error.retry_after_s is not None:
        delay = Duration()
        delay.FromMilliseconds(math.ceil(error.retry_after_s * 1_000))
        status.details.append(_packed(error_details_pb2.RetryInfo(retry_delay=delay)))
    if kept:
        status.details.append(_packed(error_details_pb2.BadRequest(field_violations=violations[:kept])))
    serialized: bytes = status.SerializeToString()
    return serialized


def failure_of(error: errors.SegserverError) -> value_pb2.Failure:
    """The same, for one part of a batch."""
    return value_pb2.Failure(
        code=code_of(error).value[0],
        reason=error.reason,
        message=message_of(error),
        violations=[
            value_pb2.FieldViolation(field=v.field, description=v.description)
            for v in _shortened(error.violations[:PART_VIOLATIONS_MAX])
        ],
    )


def _shortened(violations: Sequence[errors.Violation]) -> Iterator[errors.Violation]:
    """The first violations, as many as anybody reads, each short."""
    for violation in violations[:VIOLATIONS_MAX]:
        yield errors.Violation(_short(violation.field), _short(violation.description))


def _short(text: str, characters_max: int = PART_CHARACTERS_MAX) -> str:
    text = text if len(text) <= characters_max else text[: characters_max - 1] + "…"
    return text.encode(errors="replace").decode()


def _packed(message: Message) -> Any:
    packed = Any()
    packed.Pack(message)
    return packed
