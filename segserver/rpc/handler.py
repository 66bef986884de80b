"""The way of a call through the door: admitted, authenticated, authorized, served, and its failure
translated.
"""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import grpc
import structlog
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from segserver.engine import Engine
from segserver.errors import (
    InvalidInput,
    LimitExceeded,
    PermissionDenied,
    SegserverError,
    Unauthenticated,
)
from segserver.model import Caller
from segserver.rpc import status
from segserver.rpc.permissions import PERMISSIONS
from segserver.storage.sqlite.database import sqlite3, unavailable

log = structlog.get_logger("segserver.rpc")

_BEARER = "Bearer "

Method = Callable[[Any, Caller], Awaitable[Any]]
"""A servicer's method: the request and the authenticated caller in, the reply out, as a message or
serialized.
"""


@dataclass(slots=True)
class Load:
    """How many calls are in progress in this worker."""

    concurrent_calls_max: int
    calls: int = 0


def service_handler(
    descriptor: ServiceDescriptor, servicer: object, engine: Engine, load: Load
) -> grpc.GenericRpcHandler:
    """Every method of a service, each behind the guard. ``servicer`` has an async method of each name."""
    handlers = {}
    for method in descriptor.methods:
        name = f"/{descriptor.full_name}/{method.name}"
        serve: Method = getattr(servicer, method.name)
        handlers[method.name] = grpc.unary_unary_rpc_method_handler(
            _guarded(name, GetMessageClass(method.input_type).FromString, serve, engine, load),
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
    name: str, parse: Callable[[bytes], Any], serve: Method, engine: Engine, load: Load
) -> Callable[[Any, Any], Awaitable[Any]]:
    allowed = PERMISSIONS.get(name, frozenset())

    async def handle(request: bytes, context: grpc.aio.ServicerContext) -> Any:
        if load.calls >= load.concurrent_calls_max:
            full = LimitExceeded(
                f"this worker serves {load.concurrent_calls_max} calls already (limits.concurrent_calls_max)",
                reason="CONCURRENT_CALLS",
                metadata={"limit": "concurrent_calls_max", "value": str(load.concurrent_calls_max)},
            )
            await _refuse(context, full)
        load.calls += 1
        caller: Caller | None = None
        try:
            caller = engine.callers.authenticate(_bearer(context))
            if caller.roles.isdisjoint(allowed):
                raise PermissionDenied(
                    f"{caller.name} has none of the roles that may call this method", reason="ROLE_MISSING"
                )
            return await serve(_parsed(parse, request), caller)
        except SegserverError as error:
            if isinstance(error, PermissionDenied | Unauthenticated):
                error = await _audited(engine, name, caller, error)
            await _refuse(context, error)
        except sqlite3.Error as error:
            await _refuse(context, unavailable(error))
        except Exception as error:
            log.error("call failed", method=name, error=type(error).__name__, at=_places(error))
            await _refuse(context, SegserverError("the server failed; its log says where", reason="INTERNAL"))
        finally:
            load.calls -= 1

    return handle


def _parsed(parse: Callable[[bytes], Any], request: bytes) -> Any:
    """The request's message. It is read only once its caller is known."""
    try:
        return parse(request)
    except DecodeError:
        raise InvalidInput(
            "the bytes are not this method's request message", reason="MESSAGE_MALFORMED"
        ) from None


async def _audited(
    engine: Engine, method: str, caller: Caller | None, denial: PermissionDenied | Unauthenticated
) -> SegserverError:
    """The denial, once its entry is durable; or why it could not be written."""
    try:
        await engine.record_denial(method, caller.name if caller else "", denial.reason)
    except SegserverError as error:
        return error
    return denial


async def _refuse(context: grpc.aio.ServicerContext, error: SegserverError) -> None:
    details = status.details_of(error)
    await context.abort(status.code_of(error), status.message_of(error), ((status.DETAILS_KEY, details),))


def _bearer(context: grpc.aio.ServicerContext) -> str:
    for key, value in context.invocation_metadata() or ():
        if key == "authorization" and isinstance(value, str) and value.startswith(_BEARER):
            return value[len(_BEARER) :]
    return ""


def _places(error: BaseException) -> list[str]:
    """Where an exception came through: file and line of each frame. Its message stays out of the log: it may
    hold data.
    """
    return [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
