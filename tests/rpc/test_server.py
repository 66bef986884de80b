"""The server as a process sees it: where it listens, what it says of its health, how it stops."""

from __future__ import annotations

import asyncio
import socket
import threading

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from servers import entries, open_engine, running

from segserver.audit.entry import Kind
from segserver.client import AsyncClient
from segserver.errors import FailedPrecondition, Unavailable
from segserver.rpc.server import Server

CATALOG = """
purposes:
  analytics: {legal_basis: legitimate_interest, categories: [demographic]}
attributes:
  age: {type: int, category: demographic}
segments:
  - {id: people/adults, rule: age >= 18}
"""
DOCUMENTS = {"catalog.yaml": CATALOG}


def channel_to(server):
    return grpc.aio.insecure_channel(server.address)


def listening(engine, address):
    object.__setattr__(engine, "config", engine.config.model_copy(update={"listen": address}))
    return engine


async def test_a_port_in_use_is_named(tmp_path):
    engine = open_engine(tmp_path, DOCUMENTS)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = Server(listening(engine, f"127.0.0.1:{taken.getsockname()[1]}"))
        with pytest.raises(Unavailable, match=r"the port is in use.*--listen"):
            await server.start()
        await server.stop()
    engine.close()


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "127.0.0.1.example.com:0"])
async def test_nothing_travels_in_the_clear_beyond_this_machine(tmp_path, address):
    engine = open_engine(tmp_path, DOCUMENTS)
    server = Server(listening(engine, address))
    with pytest.raises(FailedPrecondition, match="--insecure"):
        await server.start()
    await server.stop()
    engine.close()


async def test_it_tells_its_health_for_each_service_without_a_key(tmp_path):
    async with running(open_engine(tmp_path, DOCUMENTS)) as server, channel_to(server) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for service in ("", "segserver.v1.SegmentationService", "segserver.v1.ProfileService"):
            reply = await stub.Check(health_pb2.HealthCheckRequest(service=service))
            assert reply.status == health_pb2.HealthCheckResponse.SERVING


async def test_the_audit_service_tells_when_the_log_can_not_be_signed(tmp_path):
    states = health_pb2.HealthCheckResponse
    async with running(open_engine(tmp_path, DOCUMENTS)) as server, channel_to(server) as channel:
        notary = server.engine.audit.notary
        notary.sign()
        with server.engine.store.database.connect() as connection:
            connection.execute("UPDATE log_checkpoints SET note = 'spoilt'")
        connection.close()
        stub = health_pb2_grpc.HealthStub(channel)
        changes = stub.Watch(health_pb2.HealthCheckRequest(service="segserver.v1.AuditService"))
        assert (await anext(aiter(changes))).status == states.SERVING
        await server.client().evaluate("alice", "analytics")
        assert (await anext(aiter(changes))).status == states.NOT_SERVING
        assert notary.trouble is not None
        changes.cancel()
        reply = await stub.Check(health_pb2.HealthCheckRequest(service="segserver.v1.SegmentationService"))
        assert reply.status == states.SERVING


async def test_it_describes_itself_only_when_asked_to(tmp_path):
    def listing():
        yield reflection_pb2.ServerReflectionRequest(list_services="")

    engine = open_engine(tmp_path / "on", DOCUMENTS, reflection=True)
    async with running(engine) as server, channel_to(server) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        replies = [reply async for reply in stub.ServerReflectionInfo(listing())]
    names = {service.name for service in replies[0].list_services_response.service}
    assert "segserver.v1.SegmentationService" in names
    async with running(open_engine(tmp_path / "off", DOCUMENTS)) as server, channel_to(server) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            [reply async for reply in stub.ServerReflectionInfo(listing())]
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_an_unknown_method_is_not_there(tmp_path):
    async with running(open_engine(tmp_path, DOCUMENTS)) as server, channel_to(server) as channel:
        call = channel.unary_unary("/segserver.v1.SegmentationService/DropEverything")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(b"", metadata=[("authorization", f"Bearer {server.dev_key}")])
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_stopping_lets_accepted_calls_finish(tmp_path):
    engine = open_engine(tmp_path, DOCUMENTS)
    begun, hold = threading.Event(), threading.Event()

    def slow(connection):
        begun.set()
        hold.wait(5)

    server = Server(engine)
    address = await server.start()
    async with AsyncClient(address, api_key=engine.config.dev_key_path.read_text(), retries=0) as client:
        await client.evaluate("alice", "analytics")
        holding = asyncio.ensure_future(engine.store.writer.write(slow))
        await asyncio.to_thread(begun.wait, 5)
        calls = [asyncio.ensure_future(client.evaluate(f"c{number}", "analytics")) for number in range(20)]
        while engine.evaluator.in_progress < len(calls):
            await asyncio.sleep(0.001)
        stopping = asyncio.ensure_future(server.stop())
        await asyncio.sleep(0.01)
        hold.set()
        answers = await asyncio.gather(*calls)
        await asyncio.gather(stopping, holding)
    assert len({answer.evaluation_id for answer in answers}) == 20
    logged = {entry.request_id for entry in entries(engine)}
    assert {answer.evaluation_id for answer in answers} <= logged
    engine.close()


async def test_starting_and_stopping_are_in_the_log(tmp_path):
    async with running(open_engine(tmp_path, DOCUMENTS)) as server:
        await server.engine.record_start()
        await server.engine.record_stop()
        kinds = [entry.kind for entry in server.entries()]
    assert kinds[-2:] == [Kind.SERVER_STARTED, Kind.SERVER_STOPPED]
