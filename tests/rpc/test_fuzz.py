"""Every method is sent generated messages and mutated bytes: it answers, or refuses with a reason; it never
fails, hangs or dies.

``SEGSERVER_FUZZ_EXAMPLES`` says how many calls of each method are made; a few without it."""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import pkgutil
import re

import grpc
import pytest
import segserver_value
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2
from google.rpc.status_pb2 import Status
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servers import open_engine, plugins, running

import segserver.v1
from segserver.rpc.permissions import PERMISSIONS
from segserver.rpc.status import DETAILS_KEY, DOMAIN
from segserver.v1 import value_pb2

EXAMPLES = int(os.environ.get("SEGSERVER_FUZZ_EXAMPLES", "10"))
REQUESTS_MAX = 3
"""Of one stream."""
TIMEOUT_S = 60.0
"""More than any of these calls takes; one that takes longer hangs."""
LISTEN_S = 0.05
"""How long to listen to what goes on for ever."""
ENDLESS = "/segserver.v1.SegmentationService/WatchMemberships"
STATUS = "/segserver.v1.StatusService/GetStatus"

CATALOG = """
purposes:
  care: {legal_basis: contract, categories: [demographic, behavioral, financial], memberships: true}
  marketing: {legal_basis: consent, categories: [demographic]}
attributes:
  age: {type: int, category: demographic}
  mail: {type: string, category: demographic}
  tags: {type: list(string), category: demographic}
  seen: {type: timestamp, category: behavioral}
events:
  order: {category: behavioral, properties: {amount: {type: double, category: behavioral}}}
computed:
  orders: {event: order, aggregate: count, window: 30d, category: behavioral}
lists:
  vips: {category: behavioral, purposes: [care]}
segments:
  - {id: people/adults, rule: age >= 18}
  - {id: people/buyers, rule: orders > 0}
  - {id: people/tagged, rule: '"a" in tags && mail.contains("@")'}
"""

WORDS = [
    *("customer", "email", "phone", "a@b.example", "+442079460018", "ada", "bob", "care", "marketing"),
    *("age", "mail", "tags", "seen", "order", "amount", "orders", "value", "people/adults", "people/buyers"),
    *(
        "gpc",
        "access",
        "erasure",
        "evaluation",
        "member",
        "DE",
        "vips",
        "catalog.yaml",
        CATALOG,
        "segments: [",
    ),
    *(
        "0",
        "1",
        "9" * 18,
        "9" * 19,
        "-1",
        "age >= 18",
        "orders > 0 ||",
        "(" * 200,
        "[a-z]*" * 50,
        "{}",
        "null",
    ),
    *("", " ", "\0", "\n", "\u202e", "\U0001f600", "\ufffe", "%s%n", "../../etc", "a" * 600, "é" * 300),
]
"""What the server knows, and what is known to hurt."""
EDGES = [0, 1, -1, 2, 100, 2**31 - 1, -(2**31), 2**31, 2**53, 2**63 - 1, -(2**63), 1_781_524_800]

FAULTS = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS}
FAULT_NUMBERS = {code.value[0] for code in FAULTS}

texts = st.sampled_from(WORDS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def integers(low, high):
    return st.sampled_from([edge for edge in EDGES if low <= edge <= high]) | st.integers(low, high)


def scalars(field):
    """Values of a field that is no message."""
    kinds = FieldDescriptor
    if field.type == kinds.TYPE_ENUM:
        return st.sampled_from([value.number for value in field.enum_type.values]) | integers(-1, 99)
    return {
        kinds.CPPTYPE_STRING: st.binary(max_size=40) if field.type == kinds.TYPE_BYTES else texts,
        kinds.CPPTYPE_BOOL: st.booleans(),
        kinds.CPPTYPE_DOUBLE: st.floats(),
        kinds.CPPTYPE_FLOAT: st.floats(width=32),
        kinds.CPPTYPE_INT32: integers(-(2**31), 2**31 - 1),
        kinds.CPPTYPE_UINT32: integers(0, 2**32 - 1),
        kinds.CPPTYPE_INT64: integers(-(2**63), 2**63 - 1),
        kinds.CPPTYPE_UINT64: integers(0, 2**64 - 1),
    }[field.cpp_type]


@st.composite
def messages(draw, descriptor):
    """A message with most of its fields, so that calls get beyond the first check."""
    message = GetMessageClass(descriptor)()
    for field in descriptor.fields:
        if draw(st.integers(0, 3)) == 0:
            continue
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            fill_map(draw, getattr(message, field.name), field.message_type)
        elif field.is_repeated:
            one = messages(field.message_type) if field.message_type is not None else scalars(field)
            getattr(message, field.name).extend(draw(st.lists(one, max_size=3)))
        elif field.message_type is not None:
            getattr(message, field.name).CopyFrom(draw(messages(field.message_type)))
        else:
            setattr(message, field.name, draw(scalars(field)))
    return message


def fill_map(draw, values, entry):
    """Puts some entries into a map field."""
    key, value = entry.fields_by_name["key"], entry.fields_by_name["value"]
    for name in draw(st.lists(scalars(key), max_size=3)):
        if value.message_type is not None:
            values[name].CopyFrom(draw(messages(value.message_type)))
        else:
            values[name] = draw(scalars(value))


@st.composite
def requests(draw, descriptor):
    """The bytes of a message, as they are or damaged; or any bytes."""
    data = draw(messages(descriptor)).SerializeToString()
    damage = draw(st.sampled_from(["none", "none", "none", "flip", "cut", "twice", "any"]))
    if damage == "any":
        return draw(st.binary(max_size=60))
    if damage == "twice":
        return data + data
    if not data or damage == "none":
        return data
    place = draw(st.integers(0, len(data) - 1))
    if damage == "cut":
        return data[:place]
    return data[:place] + bytes([draw(st.integers(0, 255))]) + data[place + 1 :]


def methods():
    """Every method of every service, by its full name."""
    found = {}
    for module in pkgutil.iter_modules(segserver.v1.__path__):
        if module.name.endswith("_service_pb2"):
            services = importlib.import_module(f"segserver.v1.{module.name}").DESCRIPTOR.services_by_name
            for service in services.values():
                found |= {f"/{service.full_name}/{method.name}": method for method in service.methods}
    return found


METHODS = methods()


class Target:
    """A server under fire, and what it and gRPC logged of faults."""

    def __init__(self, runner, server, channel):
        self.run = runner.run
        self._channel = channel
        self._metadata = (("authorization", f"Bearer {server.dev_key}"),)
        self.logged = []

    async def call(self, path, sent):
        """The replies to a call, or the error that ended it."""
        method = METHODS[path]
        options = {"metadata": self._metadata, "timeout": LISTEN_S if path == ENDLESS else TIMEOUT_S}
        try:
            if method.client_streaming:
                return await in_step(self._channel.stream_stream(path)(**options), sent)
            if method.server_streaming:
                return [reply async for reply in self._channel.unary_stream(path)(sent[0], **options)]
            return [await self._channel.unary_unary(path)(sent[0], **options)]
        except grpc.aio.AioRpcError as error:
            return error


async def in_step(call, sent):
    """The replies of a stream, each awaited before the next request: grpc.aio forgets the status of a call
    that ends while a request is being written.
    """
    replies = []
    for request in sent:
        await call.write(request)
        if (reply := await call.read()) is grpc.aio.EOF:
            return replies
        replies.append(reply)
    await call.done_writing()
    while (reply := await call.read()) is not grpc.aio.EOF:
        replies.append(reply)
    return replies


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    settings = {"rates": {"calls_per_s": 1e9}}
    with asyncio.Runner() as runner:

        async def begin():
            folder = tmp_path_factory.mktemp("fuzz")
            context = running(
                open_engine(folder, {"catalog.yaml": CATALOG}, plugins(segserver_value), **settings)
            )
            server = await context.__aenter__()
            channel = grpc.aio.insecure_channel(server.address)
            return context, Target(runner, server, channel), channel

        context, target, channel = runner.run(begin())
        heard = Heard(target.logged)
        logging.getLogger("grpc").addHandler(heard)
        yield target
        logging.getLogger("grpc").removeHandler(heard)
        runner.run(channel.close())
        runner.run(context.__aexit__(None, None, None))


class Heard(logging.Handler):
    """Keeps what gRPC says of a method that failed in a way that it does not know."""

    def __init__(self, logged):
        super().__init__(logging.ERROR)
        self._logged = logged

    def emit(self, record):
        self._logged.append(self.format(record))


def test_every_method_is_fuzzed():
    assert set(METHODS) == set(PERMISSIONS)


@pytest.mark.parametrize("path", sorted(METHODS))
def test_a_method_answers_or_refuses_whatever_it_is_sent(target, path):
    method = METHODS[path]
    most = REQUESTS_MAX if method.client_streaming else 1

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    @given(st.lists(requests(method.input_type), min_size=1, max_size=most))
    def fuzz(sent):
        ended = target.run(target.call(path, sent))
        if isinstance(ended, grpc.aio.AioRpcError):
            check_refusal(path, ended)
        else:
            reply_class = GetMessageClass(method.output_type)
            for reply in ended:
                check_reply(reply_class.FromString(reply))
        assert target.logged == []

    fuzz()
    assert not isinstance(target.run(target.call(STATUS, [b""])), grpc.aio.AioRpcError)


def check_refusal(path, error):
    """It has a code that blames no defect, and a reason."""
    if path == ENDLESS and error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return
    assert error.code() not in FAULTS, error
    assert error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED, "it hangs"
    status = Status.FromString(dict(error.trailing_metadata())[DETAILS_KEY])
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert info.domain == DOMAIN
    assert re.fullmatch(r"[A-Z][A-Z0-9_]{2,62}", info.reason)


def check_reply(message):
    """No part of a batch ended with a defect."""
    if isinstance(message, value_pb2.Failure):
        assert message.code not in FAULT_NUMBERS, message
        assert message.reason
    for field, value in message.ListFields():
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            continue
        for part in value if field.is_repeated else [value]:
            check_reply(part)
