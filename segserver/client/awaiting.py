"""The client for asyncio."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, cast

import grpc
from google.protobuf.message import Message

from segserver.client import (
    audit_calls,
    calls,
    catalog_calls,
    list_calls,
    membership_calls,
    privacy_calls,
    status_calls,
)
from segserver.client.calls import Call, Listing, Stream
from segserver.client.connection import Connection
from segserver.client.failures import error_of

T = TypeVar("T")
P = ParamSpec("P")


def _sending(build: Callable[P, Call[T]]) -> Callable[Concatenate[AsyncClient, P], Awaitable[T]]:
    """A method that sends the call which ``build`` makes of its arguments; awaited, it is what the reply
    says.
    """

    @functools.wraps(build)
    async def method(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.send(build(*args, **kwargs))

    return method


def _listing(build: Callable[P, Listing[T]]) -> Callable[Concatenate[AsyncClient, P], AsyncIterator[T]]:
    """A method that iterates over a list, and fetches each page when it comes to it."""

    @functools.wraps(build)
    async def method(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
        listing, token = build(*args, **kwargs), ""
        while True:
            items, token = await self.send(listing.page(token))
            for item in items:
                yield item
            if not token:
                return

    return method


def _streaming(build: Callable[P, Stream[T]]) -> Callable[Concatenate[AsyncClient, P], AsyncIterator[T]]:
    """A method that iterates over the replies of the stream which ``build`` makes of its arguments."""

    @functools.wraps(build)
    def method(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
        return self.stream(build(*args, **kwargs))

    return method


async def _requests(stream: Stream[Any]) -> AsyncIterator[Message]:
    """The requests of a stream, of items that come with ``for`` or with ``async for``."""
    make = cast("Callable[[Any], Message]", stream.request)
    if isinstance(stream.items, AsyncIterable):
        async for item in stream.items:
            yield make(item)
    else:
        for item in stream.items or ():
            yield make(item)


async def _in_step(
    call: grpc.aio.StreamStreamCall[Any, Any], requests: AsyncIterator[Message]
) -> AsyncIterator[Any]:
    """The replies, each awaited before the next request is sent: the server answers each. grpc.aio forgets
    why a call ended when it ends while a request is being written.
    """
    async for request in requests:
        await call.write(request)
        if (reply := await call.read()) is grpc.aio.EOF:
            return
        yield reply
    await call.done_writing()
    while (reply := await call.read()) is not grpc.aio.EOF:
        yield reply


def _serialized(request: Message) -> bytes:
    return request.SerializeToString()


class AsyncClient:
    """As :class:`segserver.client.Client`, for asyncio: its calls are awaited, its lists are ``async for``.

    ::

        async with AsyncClient("127.0.0.1:50051", api_key=key) as client:
            answer = await client.evaluate("customer:1042", "marketing")
    """

    def __init__(
        self,
        address: str = "127.0.0.1:50051",
        *,
        api_key: str | None = None,
        timeout_s: float = 5.0,
        lasting_timeout_s: float = 60.0,
        retries: int = 3,
        credentials: grpc.ChannelCredentials | None = None,
        insecure: bool = False,
        token: Callable[[], str] | None = None,
    ) -> None:
        self._connection = Connection(
            address, api_key, timeout_s, lasting_timeout_s, retries, credentials, insecure, token
        )
        options, encryption = self._connection.options, self._connection.encryption
        self._channel = (
            grpc.aio.insecure_channel(address, options)
            if encryption is None
            else grpc.aio.secure_channel(address, encryption, options)
        )
        self._methods: dict[str, Callable[..., Any]] = {}

    evaluate = _sending(calls.evaluate)
    evaluate_batch = _sending(calls.evaluate_batch)
    evaluate_all = _streaming(calls.evaluate_all)
    explain = _sending(calls.explain)
    upsert_profile = _sending(calls.upsert_profile)
    upsert_profiles = _sending(calls.upsert_profiles)
    get_profile = _sending(calls.get_profile)
    record_events = _sending(calls.record_events)
    stream_events = _streaming(calls.stream_events)
    upload_list = _streaming(list_calls.upload_list)
    lists = _sending(list_calls.lists)
    delete_list = _sending(list_calls.delete_list)
    members = _listing(membership_calls.members)
    watch_memberships = _streaming(membership_calls.watch_memberships)
    refresh_memberships = _sending(membership_calls.refresh_memberships)
    catalog = _sending(catalog_calls.catalog)
    segment = _sending(catalog_calls.segment)
    segments = _listing(catalog_calls.segments)
    strategies = _listing(catalog_calls.strategies)
    attributes = _listing(catalog_calls.attributes)
    event_definitions = _listing(catalog_calls.event_definitions)
    computed_attributes = _listing(catalog_calls.computed_attributes)
    purposes = _listing(catalog_calls.purposes)
    validate_rule = _sending(catalog_calls.validate_rule)
    diff_catalog = _sending(catalog_calls.diff_catalog)
    publish_catalog = _sending(catalog_calls.publish_catalog)
    fit_strategy = _sending(catalog_calls.fit_strategy)
    catalog_versions = _listing(catalog_calls.catalog_versions)
    record_consent = _sending(privacy_calls.record_consent)
    record_consent_receipt = _sending(privacy_calls.record_consent_receipt)
    withdraw_consent = _sending(privacy_calls.withdraw_consent)
    record_objection = _sending(privacy_calls.record_objection)
    record_privacy_signal = _sending(privacy_calls.record_privacy_signal)
    consents = _sending(privacy_calls.consents)
    consent_history = _sending(privacy_calls.consent_history)
    export_subject = _sending(privacy_calls.export_subject)
    import_subject = _sending(privacy_calls.import_subject)
    restrict_subject = _sending(privacy_calls.restrict_subject)
    erase_subject = _sending(privacy_calls.erase_subject)
    add_alias = _sending(privacy_calls.add_alias)
    open_request = _sending(privacy_calls.open_request)
    complete_request = _sending(privacy_calls.complete_request)
    requests = _sending(privacy_calls.requests)
    ask_identification = _sending(privacy_calls.ask_identification)
    approve_identification = _sending(privacy_calls.approve_identification)
    processing_record = _sending(privacy_calls.processing_record)
    audit_entries = _listing(audit_calls.audit_entries)
    export_audit = _listing(audit_calls.export_audit)
    audit_entry = _sending(audit_calls.audit_entry)
    audit_stats = _sending(audit_calls.audit_stats)
    prove_entry = _sending(audit_calls.prove_entry)
    prove_result = _sending(audit_calls.prove_result)
    audit_results = _listing(audit_calls.audit_results)
    audit_checkpoint = _sending(audit_calls.audit_checkpoint)
    prune_audit = _sending(audit_calls.prune_audit)
    replay_entry = _sending(audit_calls.replay_entry)
    status = _sending(status_calls.status)

    async def send(self, call: Call[T]) -> T:
        """Sends a call made by a function of :mod:`segserver.client.calls`, and reads the reply."""
        method = self._methods.get(call.path)
        if method is None:
            method = self._channel.unary_unary(
                call.path,
                request_serializer=type(call.request).SerializeToString,
                response_deserializer=call.reply.FromString,
            )
            self._methods[call.path] = method
        try:
            reply = await method(
                call.request,
                timeout=self._connection.deadline_s(call),
                metadata=self._connection.metadata(),
            )
        except grpc.RpcError as error:
            raise error_of(error, self._connection.address) from None
        return call.read(reply)

    async def stream(self, stream: Stream[T]) -> AsyncIterator[T]:
        """Begins a stream, and iterates over its replies; the stream ends with the iterator."""
        deserialize, metadata = stream.reply.FromString, self._connection.metadata()
        try:
            if callable(stream.request):
                method = self._channel.stream_stream(stream.path, _serialized, deserialize)
                call = method(metadata=metadata)
                replies = _in_step(call, _requests(stream))
            else:
                method = self._channel.unary_stream(stream.path, _serialized, deserialize)
                call = replies = method(stream.request, metadata=metadata)
            try:
                async for reply in replies:
                    yield stream.read(reply)
            finally:
                call.cancel()
        except grpc.RpcError as error:
            raise error_of(error, self._connection.address) from None

    async def close(self) -> None:
        """Closes the connection; calls in progress are cancelled."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()
