"""What a connection may do: pings, sizes, compression; and what a call that nobody waits for costs."""

import asyncio
import gzip
import struct

import grpc
import pytest
from google.rpc import error_details_pb2
from google.rpc.status_pb2 import Status
from servers import open_engine, running

from segserver.audit.entry import Kind
from segserver.client.audit_calls import EntryFilter
from segserver.engine import turns
from segserver.engine.callers import CallerDesk
from segserver.errors import DeadlineExceeded, InvalidInput, LimitExceeded, SegserverError, Unauthenticated
from segserver.rpc.status import DETAILS_KEY
from segserver.v1 import profile_service_pb2 as profiles
from segserver.v1 import segmentation_service_pb2 as pb
from segserver.v1 import value_pb2

METHOD = "/segserver.v1.SegmentationService/EvaluateSegments"
STREAM = "/segserver.v1.ProfileService/StreamEvents"

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, PING, GOAWAY = 4, 6, 7
ENHANCE_YOUR_CALM = 11
"""RFC 9113, section 7."""


def frame(kind, payload=b"", flags=0):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + bytes(4) + payload


async def goaway(reader):
    """What the server says when it closes the connection."""
    while True:
        head = await reader.readexactly(9)
        payload = await reader.readexactly(int.from_bytes(head[:3]))
        if head[3] == GOAWAY:
            return payload


async def test_a_client_that_pings_too_often_is_sent_away(tmp_path, documents):
    async with running(open_engine(tmp_path, documents)) as server:
        reader, writer = await asyncio.open_connection(*server.address.split(":"))
        writer.write(PREFACE + frame(SETTINGS) + frame(PING, bytes(8)) * 20)
        async with asyncio.timeout(30):
            payload = await goaway(reader)
        assert int.from_bytes(payload[4:8]) == ENHANCE_YOUR_CALM
        assert payload[8:] == b"too_many_pings"
        writer.close()


async def called(server, request, **options):
    async with grpc.aio.insecure_channel(server.address) as channel:
        metadata = (("authorization", f"Bearer {server.dev_key}"), *options.pop("metadata", ()))
        return await channel.unary_unary(METHOD)(request, metadata=metadata, timeout=30, **options)


async def test_a_request_that_is_too_large_names_the_setting(tmp_path, documents):
    async with running(open_engine(tmp_path, documents, limits={"message_bytes_max": 4_096})) as server:
        client = server.client()
        with pytest.raises(InvalidInput, match=r"limits\.message_bytes_max") as refused:
            await client.evaluate("a" * 5_000, "analytics")
        assert refused.value.metadata == {"limit": "message_bytes_max", "value": "4096"}
        with pytest.raises(LimitExceeded, match="larger than max"):
            await client.evaluate("a" * 10_000, "analytics")


async def test_no_list_of_a_request_is_endless(tmp_path, documents):
    async with running(open_engine(tmp_path, documents)) as server:
        client = server.client()
        with pytest.raises(InvalidInput, match=r"change\.removed.*limits\.request_attributes_max"):
            await client.upsert_profile("alice", {}, removed=["age"] * 257)
        with pytest.raises(InvalidInput, match=r"subjects.*limits\.batch_subjects_max"):
            await client.evaluate_batch(["alice"] * 1_001, "analytics")
        with pytest.raises(InvalidInput, match=r"segments.*limits\.request_segments_max"):
            await client.evaluate("alice", "analytics", ["people/adults"] * 1_001)
        with pytest.raises(InvalidInput, match=r"nicknames.*limits\.list_items_max"):
            await client.upsert_profile("alice", {"nicknames": ["al"] * 1_001})
        with pytest.raises(InvalidInput, match=r"nicknames.*limits\.string_bytes_max"):
            await client.upsert_profile("alice", {"nicknames": ["a" * 65_537]})
        with pytest.raises(InvalidInput, match=r"filter\.kinds"):
            await anext(client.audit_entries(EntryFilter(kinds=["evaluation"] * 1_000)))


async def test_a_compressed_request_is_not_unpacked(tmp_path, documents):
    async with running(open_engine(tmp_path, documents)) as server:
        bomb = pb.EvaluateSegmentsRequest(subject=value_pb2.SubjectId(id="a" * 3_000_000)).SerializeToString()
        assert len(gzip.compress(bomb)) < 10_000
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await called(server, bomb, compression=grpc.Compression.Gzip)
        assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_headers_have_a_limit(tmp_path, documents):
    async with running(open_engine(tmp_path, documents)) as server:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await called(server, b"", metadata=(("x", "y" * 20_000),))
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_too_often_is_told_with_the_time_to_wait(tmp_path, documents):
    rates = {"calls_per_s": 0.5, "burst_s": 2.0}
    async with running(open_engine(tmp_path, documents, rates=rates)) as server:
        client = server.client()
        await client.evaluate("alice", "analytics")
        with pytest.raises(LimitExceeded, match=r"rates\.calls_per_s") as refused:
            await client.evaluate("alice", "analytics")
        assert 0 < refused.value.retry_after_s <= 2.0
        with pytest.raises(grpc.aio.AioRpcError) as raw:
            await called(server, b"")
        trailers = dict(raw.value.trailing_metadata())
        details = Status.FromString(trailers[DETAILS_KEY]).details
        assert any(detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR) for detail in details)
        other = server.caller("other", ["evaluator"])
        await other.evaluate("alice", "analytics")  # each caller has its own


async def test_a_call_whose_caller_is_gone_is_not_evaluated(tmp_path, documents, monkeypatch):
    async with running(open_engine(tmp_path, documents)) as server:
        client, evaluator, load = server.client(), server.engine.evaluator, server.server.guard.load
        begun_at_once = turns.AT_ONCE
        monkeypatch.setattr(turns, "AT_ONCE", 0)
        calls = [asyncio.ensure_future(client.evaluate(f"c{n}", "analytics")) for n in range(3)]
        while evaluator.in_progress < len(calls):
            await asyncio.sleep(0.001)
        for call in calls:
            call.cancel()
        while evaluator.in_progress or load.calls:
            await asyncio.sleep(0.001)
        monkeypatch.setattr(turns, "AT_ONCE", begun_at_once)
        await client.evaluate("alice", "analytics")  # its turn would be theirs
        assert [entry.kind for entry in server.entries()].count(Kind.EVALUATION) == 1
        assert (load.calls, load.size_bytes) == (0, 0)


async def test_a_deadline_ends_the_work_for_a_call(tmp_path, documents, monkeypatch):
    async with running(open_engine(tmp_path, documents)) as server:
        monkeypatch.setattr(turns, "AT_ONCE", 0)
        with pytest.raises(DeadlineExceeded):
            await server.client(timeout_s=0.1).evaluate("alice", "analytics")
        while server.engine.evaluator.in_progress or server.server.guard.load.calls:
            await asyncio.sleep(0.001)


async def test_large_requests_take_turns(tmp_path, documents, monkeypatch):
    async with running(open_engine(tmp_path, documents, limits={"large_calls_max": 1})) as server:
        client, evaluator = server.client(), server.engine.evaluator
        hold, at_once, most = asyncio.Event(), 0, 0

        async def slow(*_):
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            await hold.wait()
            at_once -= 1
            return []

        monkeypatch.setattr(type(evaluator), "evaluate_batch", lambda self, *args: slow(*args))
        subjects = [f"customer:{'x' * 100}{number}" for number in range(100)]
        calls = [asyncio.ensure_future(client.evaluate_batch(subjects, "analytics")) for _ in range(3)]
        while server.server.guard.load.calls < 3:
            await asyncio.sleep(0.001)
        assert (await client.evaluate("alice", "analytics")).evaluation_id  # small ones pass by
        hold.set()
        await asyncio.gather(*calls)
        assert most == 1


async def test_a_flood_of_guessed_keys_fills_no_disk_and_none_is_forgotten(tmp_path, documents):
    engine = open_engine(tmp_path, documents)
    async with running(engine) as server:
        said = set()
        for key in ("", "segserver_guess", "segserver_other", "no key at all"):
            client = server.client(key)
            for _ in range(10):
                with pytest.raises(Unauthenticated) as refused:
                    await client.evaluate("alice", "analytics")
                said.add((refused.value.message, refused.value.reason))
        assert len(said) == 1
        await server.server.guard.denials.flush()
        denied = [entry for entry in server.entries() if entry.kind is Kind.ACCESS_DENIED]
    assert [int(entry.details.get("times", 1)) for entry in denied] == [1, 39]
    assert all(entry.caller == "" and entry.details["network"] == "127.0.0.1" for entry in denied)


async def test_a_role_that_this_version_does_not_know_gives_nothing(tmp_path, documents):
    async with running(open_engine(tmp_path, documents)) as server:
        client = server.caller("shop", ["evaluator"])
        await server.engine.store.writer.write(
            lambda connection: connection.execute(
                "UPDATE callers SET roles = 'superuser' WHERE name = 'shop'"
            )
        )
        with pytest.raises(SegserverError) as refused:
            await client.evaluate("alice", "analytics")
        assert refused.value.reason == "ROLE_MISSING"


async def test_a_stream_s_requests_count_like_calls_and_end_with_their_caller(tmp_path, documents):
    rates = {"calls_per_s": 0.001, "burst_s": 4_000.0}
    async with running(open_engine(tmp_path, documents, rates=rates)) as server:
        desk = CallerDesk(server.engine.store.writer, server.clock)
        key, other = desk.add("shop", ["writer"], ["*"]), desk.add("till", ["writer"], ["*"])
        begun, revoked = asyncio.Event(), asyncio.Event()

        async def endless(count, event):
            for number in range(count):
                if number == count - 1:
                    begun.set()
                    await event.wait()
                yield profiles.StreamEventsRequest().SerializeToString()
            await asyncio.Event().wait()

        async def answers(credential, count, event):
            async with grpc.aio.insecure_channel(server.address) as channel:
                metadata = (("authorization", f"Bearer {credential}"),)
                call = channel.stream_stream(STREAM)(endless(count, event), metadata=metadata, timeout=60)
                return [reply async for reply in call]

        with pytest.raises(grpc.aio.AioRpcError) as often:
            await answers(key, 4, begun)
        assert often.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        ending = asyncio.ensure_future(answers(other, 2, revoked))
        begun.clear()
        await begun.wait()
        desk.revoke("till")
        server.server.guard._known.clear()  # as a second later
        revoked.set()
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await ending
        assert ended.value.code() is grpc.StatusCode.UNAUTHENTICATED
        assert server.server.guard.load.calls == 0
