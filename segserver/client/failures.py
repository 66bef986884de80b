"""A gRPC status, or the failure of one part of a batch, as the error of :mod:`segserver.errors` that it
was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2
from google.rpc.status_pb2 import Status

from segserver import errors
from segserver.v1 import value_pb2

_DETAILS_KEY = "grpc-status-details-bin"

_KINDS: Mapping[grpc.StatusCode, type[errors.SegserverError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: errors.InvalidInput,
    grpc.StatusCode.OUT_OF_RANGE: errors.InvalidInput,
    grpc.StatusCode.NOT_FOUND: errors.NotFound,
    grpc.StatusCode.ALREADY_EXISTS: errors.Conflict,
    grpc.StatusCode.ABORTED: errors.Conflict,
    grpc.StatusCode.PERMISSION_DENIED: errors.PermissionDenied,
    grpc.StatusCode.UNAUTHENTICATED: errors.Unauthenticated,
    grpc.StatusCode.FAILED_PRECONDITION: errors.FailedPrecondition,
    grpc.StatusCode.RESOURCE_EXHAUSTED: errors.LimitExceeded,
    grpc.StatusCode.UNAVAILABLE: errors.Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: errors.DeadlineExceeded,
    grpc.StatusCode.DATA_LOSS: errors.IntegrityError,
}

_CODES = {code.value[0]: code for code in grpc.StatusCode}


def error_of(call: grpc.RpcError, address: str) -> errors.SegserverError:
    """The error that a failed call stands for. Both kinds of RpcError, blocking and asyncio, have these
    methods.
    """
    code, text = call.code(), call.details() or ""
    status = _details(call.trailing_metadata() or ())
    if status is None:
        return _without_details(code, text, address)
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    bad = error_details_pb2.BadRequest()
    for detail in status.details:
        detail.Unpack(info) or detail.Unpack(retry) or detail.Unpack(bad)
    violations = [errors.Violation(v.field, v.description) for v in bad.field_violations]
    error = _error(code, status.message or text, info.reason, info.metadata, violations)
    if isinstance(error, errors.LimitExceeded) and retry.HasField("retry_delay"):
        error.retry_after_s = retry.retry_delay.ToMicroseconds() / 1_000_000
    return error


def failure_error(failure: value_pb2.Failure) -> errors.SegserverError:
    """The error that one part of a batch failed with."""
    violations = [errors.Violation(v.field, v.description) for v in failure.violations]
    return _error(
        _CODES.get(failure.code, grpc.StatusCode.UNKNOWN), failure.message, failure.reason, {}, violations
    )


def _error(
    code: grpc.StatusCode,
    message: str,
    reason: str,
    metadata: Mapping[str, str],
    violations: Iterable[errors.Violation],
) -> errors.SegserverError:
    error = _KINDS.get(code, errors.SegserverError)(message or code.name, reason=reason or None)
    error.metadata.update(metadata)
    error.violations = tuple(violations)
    return error


def _without_details(code: grpc.StatusCode, text: str, address: str) -> errors.SegserverError:
    """An error that no segserver sent: the network's, gRPC's own, or another server's."""
    if code is grpc.StatusCode.UNAVAILABLE:
        return errors.Unavailable(f"no server answers at {address}", reason="SERVER_UNREACHABLE")
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return errors.DeadlineExceeded(f"no answer from {address} within the deadline")
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return errors.FailedPrecondition(
            f"the server at {address} does not know this call: {text}", reason="UNIMPLEMENTED"
        )
    return _error(code, text, code.name, {}, ())


def _details(metadata: Iterable[tuple[str, str | bytes]]) -> Status | None:
    for key, value in metadata:
        if key == _DETAILS_KEY and isinstance(value, bytes):
            try:
                return Status.FromString(value)
            except DecodeError:
                return None
    return None
