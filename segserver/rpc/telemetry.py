"""What is counted, logged and traced of each call, once it has ended."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import grpc
import structlog

from segserver.observe.counts import Counts

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

log = structlog.get_logger("segserver.rpc")

Handler = Callable[[Any, Any], Awaitable[Any]]
"""Serves a call: the request's bytes and its context in, the reply out."""
StreamHandler = Callable[[Any, Any], AsyncIterator[Any]]
"""Serves a call that streams its replies."""

STATUSES: Mapping[object, str] = {key: code.name for code in grpc.StatusCode for key in (code, code.value[0])}
"""By the code or its number: a context tells either."""
CANCELLED = grpc.StatusCode.CANCELLED.name
FAULTS = frozenset({"INTERNAL", "UNKNOWN", "DATA_LOSS"})
"""A call that ends so is a defect of the server: it is logged in any case."""

_UUID = re.compile(r"[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}")
_TRACE = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
"""W3C Trace Context."""

_caller: ContextVar[str] = ContextVar("caller", default="")
_request_id: ContextVar[str] = ContextVar("request_id", default="")


def caller_is(name: str) -> None:
    """Notes who makes the call under way; its names are those of callers, never of subjects."""
    _caller.set(name)


def request_id(context: grpc.aio.ServicerContext) -> str:
    """The name of the call under way: the UUID that the caller gave (``x-request-id``), or the id of its
    trace, or a new one. Anything else in that header is not taken: it could be about a person.
    """
    if found := _request_id.get():
        return found
    headers = dict(context.invocation_metadata() or ())
    given, trace = headers.get("x-request-id", ""), _TRACE.fullmatch(headers.get("traceparent", ""))
    if isinstance(given, str) and _UUID.fullmatch(given):
        found = given.lower()
    else:
        found = trace[1] if trace else secrets.token_hex(16)
    _request_id.set(found)
    return found


class Telemetry:
    """Watches calls. Where neither logs nor traces are asked for, that is two clock readings and some
    additions a call.
    """

    def __init__(self, counts: Counts, *, log_calls: bool, tracer: Tracer | None) -> None:
        self._counts = counts
        self._log_calls = log_calls
        self._tracer = tracer

    def watched(self, method: str, handle: Handler) -> Handler:
        """``handle``, watched; ``method`` is its full name, as in ``PERMISSIONS``."""
        name = method.removeprefix("/segserver.v1.")

        async def watch(request: bytes, context: grpc.aio.ServicerContext) -> Any:
            begin = time.perf_counter()
            status = CANCELLED
            try:
                reply = await handle(request, context)
                status = "OK"
            except grpc.aio.AbortError:
                status = STATUSES.get(context.code(), "UNKNOWN")
                raise
            finally:
                self._ended(name, status, time.perf_counter() - begin, context)
            return reply

        return watch

    def watched_stream(self, method: str, handle: StreamHandler) -> StreamHandler:
        """The same for a stream, which ends with its last reply."""
        name = method.removeprefix("/segserver.v1.")

        async def watch(request: Any, context: grpc.aio.ServicerContext) -> AsyncIterator[Any]:
            begin = time.perf_counter()
            status = CANCELLED
            try:
                async for reply in handle(request, context):
                    yield reply
                status = "OK"
            except grpc.aio.AbortError:
                status = STATUSES.get(context.code(), "UNKNOWN")
                raise
            finally:
                self._ended(name, status, time.perf_counter() - begin, context)

        return watch

    def _ended(self, method: str, status: str, seconds: float, context: grpc.aio.ServicerContext) -> None:
        self._counts.called(method, status, seconds)
        if self._log_calls or status in FAULTS:
            self._log(method, status, seconds, context)
        if self._tracer is not None:
            self._trace(self._tracer, method, status, seconds, context)

    def _log(self, method: str, status: str, seconds: float, context: grpc.aio.ServicerContext) -> None:
        log.info(
            "call",
            request_id=request_id(context),
            caller=_caller.get(),
            method=method,
            status=status,
            duration_ms=round(1_000 * seconds, 3),
        )

    def _trace(
        self, tracer: Tracer, method: str, status: str, seconds: float, context: grpc.aio.ServicerContext
    ) -> None:
        """A span, made when the call is over: a call has no other spans below it, and so costs nothing
        before.
        """
        from opentelemetry.trace import SpanKind, Status, StatusCode
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        headers = {k: v for k, v in context.invocation_metadata() or () if k in ("traceparent", "tracestate")}
        end_ns = time.time_ns()
        span = tracer.start_span(
            f"segserver.v1.{method}",
            context=TraceContextTextMapPropagator().extract(headers),
            kind=SpanKind.SERVER,
            start_time=end_ns - int(seconds * 1e9),
            attributes={
                "rpc.system": "grpc",
                "rpc.service": f"segserver.v1.{method.partition('/')[0]}",
                "rpc.method": method.partition("/")[2],
                "rpc.response.status_code": status,
                "segserver.caller": _caller.get(),
                "segserver.request_id": request_id(context),
            },
        )
        if status in FAULTS:
            span.set_status(Status(StatusCode.ERROR))
        span.end(end_ns)
