"""The way of a call through the door: admitted, authenticated, authorized, served, and its failure
translated.
"""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import structlog
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from segserver.errors import InvalidInput, PermissionDenied, SegserverError, Unauthenticated
from segserver.model import Caller
from segserver.rpc import status
from segserver.rpc.guard import Guard
from segserver.rpc.guard.guard import authorize
from segserver.rpc.guard.load import LARGE_BYTES, Account, Load, Pace, check_deadline
from segserver.rpc.permissions import PERMISSIONS
from segserver.rpc.telemetry import Telemetry, caller_is, request_id
from segserver.storage.sqlite.database import sqlite3, unavailable

log = structlog.get_logger("segserver.rpc")

_ON_THREADS = "/segserver.v1.CatalogService/"
"""What works on threads for seconds: it holds up nobody, and waits for nobody's turn."""

Method = Callable[[Any, Caller], Awaitable[Any]]
"""A servicer's method: the request and the authenticated caller in, the reply out, as a message or
serialized.
"""

Streaming = Callable[[Any, Caller], AsyncIterator[Any]]
"""The same for a method that streams its replies. What ends the stream early is raised."""


def service_handler(
    descriptor: ServiceDescriptor, servicer: object, guard: Guard, telemetry: Telemetry
) -> grpc.GenericRpcHandler:
    """Every method of a service, each watched and behind the guard.

    ``servicer`` has an async method of each name (:data:`Method`); that of a method which streams its replies
    is an async generator (:data:`Streaming`), and one whose requests are a stream is given an async iterator
    of them. No reply of a stream leaves once its caller's access has ended or changed."""
    handlers = {}
    for method in descriptor.methods:
        name = f"/{descriptor.full_name}/{method.name}"
        parse = GetMessageClass(method.input_type).FromString
        serve = getattr(servicer, method.name)
        if method.client_streaming:
            made = grpc.stream_stream_rpc_method_handler(
                telemetry.watched_stream(name, _guarded_stream(name, parse, serve, guard)),
                response_serializer=_serialized,
            )
        elif method.server_streaming:
            made = grpc.unary_stream_rpc_method_handler(
                telemetry.watched_stream(name, _guarded_stream(name, parse, serve, guard)),
                response_serializer=_serialized,
            )
        else:
            made = grpc.unary_unary_rpc_method_handler(
                telemetry.watched(name, _guarded(name, parse, serve, guard)), response_serializer=_serialized
            )
        handlers[method.name] = made
    return grpc.method_handlers_generic_handler(descriptor.full_name, handlers)


def _serialized(reply: Any) -> bytes:
    """A reply as bytes; one that is in bytes already stays so."""
    if isinstance(reply, bytes):
        return reply
    serialized: bytes = reply.SerializeToString()
    return serialized


def _guarded(
    name: str, parse: Callable[[bytes], Any], serve: Method, guard: Guard
) -> Callable[[Any, Any], Awaitable[Any]]:
    allowed = PERMISSIONS.get(name, frozenset())
    load, pace = guard.load, Pace()
    on_threads = name.startswith(_ON_THREADS)
    in_turn = _in_turn(parse, serve, load)

    async def handle(request: bytes, context: grpc.aio.ServicerContext) -> Any:
        size_bytes = len(request)
        caller: Caller | None = None
        account: Account | None = None
        try:
            load.enter(size_bytes)
        except SegserverError as error:
            await _refuse(context, error)
        try:
            known = await guard.recognize(context)
            caller = known.caller
            caller_is(caller.name)
            load.begin(known.account)
            account = known.account
            authorize(caller, allowed)
            if size_bytes > LARGE_BYTES and not on_threads:
                reply = await in_turn(request, caller, context)
            else:
                load.check_pace(context.time_remaining(), pace)
                reply = await _timed(serve(_parsed(parse, request), caller), pace)
        except Exception as error:
            await _failed(error, name, caller, guard, context)
        else:
            return reply
        finally:
            load.leave(size_bytes, account)

    return handle


def _in_turn(
    parse: Callable[[bytes], Any], serve: Method, load: Load
) -> Callable[[bytes, Caller, grpc.aio.ServicerContext], Awaitable[Any]]:
    """Serves large requests of a method, some at a time."""
    pace = Pace()

    async def serve_in_turn(request: bytes, caller: Caller, context: grpc.aio.ServicerContext) -> Any:
        load.check_turn(context.time_remaining(), pace)
        load.large_calls += 1
        try:
            async with load.turns:
                check_deadline(context.time_remaining())
                return await _timed(serve(_parsed(parse, request), caller), pace)
        finally:
            load.large_calls -= 1

    return serve_in_turn


async def _timed(answer: Awaitable[Any], pace: Pace) -> Any:
    began_s = time.monotonic()
    try:
        reply = await answer
    except asyncio.CancelledError:
        pace.learn_late(time.monotonic() - began_s)
        raise
    pace.learn(time.monotonic() - began_s)
    return reply


def _guarded_stream(
    name: str, parse: Callable[[bytes], Any], serve: Streaming, guard: Guard
) -> Callable[[Any, Any], AsyncIterator[Any]]:
    allowed = PERMISSIONS.get(name, frozenset())
    load = guard.load

    async def handle(
        request: bytes | AsyncIterator[bytes], context: grpc.aio.ServicerContext
    ) -> AsyncIterator[Any]:
        size_bytes = len(request) if isinstance(request, bytes) else 0
        caller: Caller | None = None
        account: Account | None = None
        try:
            load.enter(size_bytes)
        except SegserverError as error:
            await _refuse(context, error)
        try:
            known = await guard.recognize(context)
            caller = known.caller
            caller_is(caller.name)
            load.begin(known.account)
            account = known.account
            authorize(caller, allowed)
            given = (
                _parsed(parse, request)
                if isinstance(request, bytes)
                else _each_parsed(parse, request, guard, context)
            )
            async for reply in serve(given, caller):
                if (await guard.recognize(context)).caller != caller:
                    raise PermissionDenied(
                        "what this caller may do has changed since the call began: call again",
                        reason="CALLER_CHANGED",
                    )
                yield reply
        except Exception as error:
            await _failed(error, name, caller, guard, context)
        finally:
            load.leave(size_bytes, account)

    return handle


async def _failed(
    error: Exception, name: str, caller: Caller | None, guard: Guard, context: grpc.aio.ServicerContext
) -> None:
    """Ends a call with what its failure is for the caller."""
    if isinstance(error, PermissionDenied | Unauthenticated):
        await _refuse(context, await guard.denied(name, caller, context, error))
    if isinstance(error, SegserverError):
        await _refuse(context, error)
    if isinstance(error, sqlite3.Error):
        await _refuse(context, unavailable(error))
    called = request_id(context)
    log.error("call failed", request_id=called, method=name, error=type(error).__name__, at=places(error))
    failed = SegserverError(
        "the server failed; its log says where", reason="INTERNAL", metadata={"request_id": called}
    )
    await _refuse(context, failed)


async def _each_parsed(
    parse: Callable[[bytes], Any],
    requests: AsyncIterator[bytes],
    guard: Guard,
    context: grpc.aio.ServicerContext,
) -> AsyncIterator[Any]:
    """The messages of a stream. Each counts like a call, and so ends with its caller's access."""
    async for request in requests:
        known = await guard.recognize(context)
        guard.load.check_size(len(request))
        guard.load.take(known.account)
        yield _parsed(parse, request)


def _parsed(parse: Callable[[bytes], Any], request: bytes) -> Any:
    """The request's message. It is read only once its caller is known."""
    try:
        return parse(request)
    except DecodeError:
        raise InvalidInput(
            "the bytes are not this method's request message", reason="MESSAGE_MALFORMED"
        ) from None


async def _refuse(context: grpc.aio.ServicerContext, error: SegserverError) -> None:
    details = status.details_of(error)
    await context.abort(status.code_of(error), status.message_of(error), ((status.DETAILS_KEY, details),))


def places(error: BaseException) -> list[str]:
    """Where an exception came through: file and line of each frame. Its message stays out of the log: it may
    hold data.
    """
    return [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
