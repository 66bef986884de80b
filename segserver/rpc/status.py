"""The error tree, translated once: to a gRPC status with ``ErrorInfo`` and field violations."""

from __future__ import annotations

import grpc
from google.protobuf.any_pb2 import Any
from google.rpc import error_details_pb2
from google.rpc.status_pb2 import Status

from segserver import errors
from segserver.v1 import value_pb2

DOMAIN = "segserver"
DETAILS_KEY = "grpc-status-details-bin"
"""The trailer that carries a ``google.rpc.Status`` (the gRPC "richer error model")."""

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


def details_of(error: errors.SegserverError) -> bytes:
    """A serialized ``google.rpc.Status`` with an ``ErrorInfo`` and, where fields are wrong, a
    ``BadRequest``.
    """
    status = Status(code=code_of(error).value[0], message=error.message)
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.metadata)
    status.details.append(_packed(info))
    if error.violations:
        bad = error_details_pb2.BadRequest()
        for violation in error.violations:
            bad.field_violations.add(
                field=violation.field, description=violation.description, reason=error.reason
            )
        status.details.append(_packed(bad))
    serialized: bytes = status.SerializeToString()
    return serialized


def failure_of(error: errors.SegserverError) -> value_pb2.Failure:
    """The same, for one part of a batch."""
    return value_pb2.Failure(
        code=code_of(error).value[0],
        reason=error.reason,
        message=error.message,
        violations=[
            value_pb2.FieldViolation(field=v.field, description=v.description) for v in error.violations
        ],
    )


def _packed(message: error_details_pb2.ErrorInfo | error_details_pb2.BadRequest) -> Any:
    packed = Any()
    packed.Pack(message)
    return packed
