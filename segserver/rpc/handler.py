"""The way of a call through the door: admitted, authenticated, authorized, served, and its failure
translated.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Awaitable, Callable
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
from segserver.rpc.guard.load import LARGE_BYTES, Account, Pace, check_deadline
from segserver.rpc.permissions import PERMISSIONS
from segserver.storage.sqlite.database import sqlite3, unavailable

log = structlog.get_logger("segserver.rpc")

Method = Callable[[Any, Caller], Awaitable[Any]]
"""A servicer's method: the request and the authenticated caller in, the reply out, as a message or
serialized.
"""


def service_handler(descriptor: ServiceDescriptor, servicer: object, guard: Guard) -> grpc.GenericRpcHandler:
    """Every method of a service, each behind the guard. ``servicer`` has an async method of each name."""
    handlers = {}
    for method in descriptor.methods:
        name = f"/{descriptor.full_name}/{method.name}"
        serve: Method = getattr(servicer, method.name)
        handlers[method.name] = grpc.unary_unary_rpc_method_handler(
            _guarded(name, GetMessageClass(method.input_type).FromString, serve, guard),
            response_serializer=_serialized,
        )
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

    async def handle(request: bytes, context: grpc.aio.ServicerContext) -> Any:
        size_bytes = len(request)
        caller: Caller | None = None
        account: Account | None = None
        try:
            load.enter(size_bytes)
        except SegserverError as error:
            await _refuse(context, error)
        began_s = time.monotonic()
        try:
            known = await guard.recognize(context)
            caller = known.caller
            load.begin(known.account)
            account = known.account
            authorize(caller, allowed)
            load.check_pace(context.time_remaining(), pace)
            if size_bytes <= LARGE_BYTES:
                reply = await serve(_parsed(parse, request), caller)
            else:
                async with load.turns:
                    check_deadline(context.time_remaining())
                    reply = await serve(_parsed(parse, request), caller)
            pace.learn(time.monotonic() - began_s)
        except SegserverError as error:
            if isinstance(error, PermissionDenied | Unauthenticated):
                error = await guard.denied(name, caller, context, error)
            await _refuse(context, error)
        except sqlite3.Error as error:
            await _refuse(context, unavailable(error))
        except Exception as error:
            log.error("call failed", method=name, error=type(error).__name__, at=_places(error))
            await _refuse(context, SegserverError("the server failed; its log says where", reason="INTERNAL"))
        else:
            return reply
        finally:
            load.leave(size_bytes, account)

    return handle


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


def _places(error: BaseException) -> list[str]:
    """Where an exception came through: file and line of each frame. Its message stays out of the log: it may
    hold data.
    """
    return [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
