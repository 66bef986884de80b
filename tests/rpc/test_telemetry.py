"""What is told of a call: numbers, a line, a span, and never a person."""

from __future__ import annotations

import json

import grpc
import pytest
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from servers import open_engine, running

from segserver.errors import NotFound, PermissionDenied, SegserverError, Unauthenticated
from segserver.rpc.server import Server

CATALOG = """
purposes:
  analytics: {legal_basis: legitimate_interest, categories: [demographic]}
  marketing: {legal_basis: consent, categories: [demographic]}
attributes:
  age: {type: int, category: demographic}
segments:
  - {id: people/adults, rule: age >= 18}
"""
DOCUMENTS = {"catalog.yaml": CATALOG}
EVALUATE = "SegmentationService/EvaluateSegments"


async def test_calls_are_counted_by_status_and_answers_by_outcome(tmp_path):
    async with running(open_engine(tmp_path, DOCUMENTS)) as server:
        client = server.client()
        await client.upsert_profile("alice", {"age": 44})
        await client.evaluate("alice", "analytics")
        await client.evaluate("bob", "analytics")
        await client.evaluate("alice", "marketing")
        with pytest.raises(NotFound):
            await client.evaluate("alice", "analytics", ["no/such"])
        with pytest.raises(Unauthenticated):
            await server.client("wrong").evaluate("alice", "analytics")
        (worker,) = await client.status()
        assert worker.value("segserver_calls", method=EVALUATE, status="OK") == 3
        assert worker.value("segserver_calls", method=EVALUATE, status="NOT_FOUND") == 1
        assert worker.value("segserver_calls", method=EVALUATE, status="UNAUTHENTICATED") == 1
        outcomes = {
            o: worker.value("segserver_outcomes", outcome=o) for o in ("member", "unknown", "withheld")
        }
        assert outcomes == {"member": 1, "unknown": 1, "withheld": 1}
        assert worker.value("segserver_evaluations", gate="open") == 2
        assert worker.value("segserver_withheld", reason="CONSENT_MISSING") == 1
        assert worker.value("segserver_calls_in_progress") == 1
        assert worker.value("segserver_commit_units") > 3
        assert worker.value("segserver_memory_bytes") > 10_000_000


async def test_only_operators_may_ask(tmp_path):
    async with running(open_engine(tmp_path, DOCUMENTS)) as server:
        for role in ("officer", "admin"):
            assert await server.caller(f"some-{role}", [role]).status()
        with pytest.raises(PermissionDenied):
            await server.caller("shop", ["evaluator", "writer", "analyst"]).status()


async def test_a_line_and_a_span_for_each_call(tmp_path):
    engine = open_engine(tmp_path, DOCUMENTS, observe={"log_calls": True})
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    server = Server(engine, tracer=provider.get_tracer("test"))
    address = await server.start()
    key = engine.config.dev_key_path.read_text()
    trace, given = "0af7651916cd43dd8448eb211c80319c", "6f2c8f0e-7a55-4a80-9a4b-1b8f0b8a55aa"
    try:
        with structlog.testing.capture_logs() as lines:
            async with grpc.aio.insecure_channel(address) as channel:
                call = channel.unary_unary("/segserver.v1.CatalogService/GetCatalog")
                for more in (
                    [("x-request-id", given)],
                    [("traceparent", f"00-{trace}-b7ad6b7169203331-01")],
                    [("x-request-id", "alice@example.com")],
                ):
                    await call(b"", metadata=[("authorization", f"Bearer {key}"), *more])
    finally:
        await server.stop()
        engine.close()
    calls = [entry for entry in lines if entry["event"] == "call"]
    assert [(c["caller"], c["method"], c["status"]) for c in calls] == [
        ("dev", "CatalogService/GetCatalog", "OK")
    ] * 3
    assert [c["request_id"] for c in calls[:2]] == [given, trace]
    assert "alice" not in json.dumps(calls)
    spans = exporter.get_finished_spans()
    assert {span.name for span in spans} == {"segserver.v1.CatalogService/GetCatalog"}
    assert f"{spans[1].context.trace_id:032x}" == trace
    assert spans[0].attributes["segserver.request_id"] == given
    assert all(span.end_time >= span.start_time for span in spans)


async def test_a_defect_is_logged_under_the_id_that_its_caller_gets(tmp_path, monkeypatch):
    async with running(open_engine(tmp_path, DOCUMENTS)) as server:

        async def fail(*_):
            raise RuntimeError("alice is 44")

        monkeypatch.setattr(type(server.engine.evaluator), "evaluate", fail)
        with structlog.testing.capture_logs() as lines, pytest.raises(SegserverError) as caught:
            await server.client(retries=0).evaluate("alice", "analytics")
    failed, call = (entry for entry in lines if entry["event"] in ("call failed", "call"))
    assert caught.value.metadata["request_id"] == failed["request_id"] == call["request_id"]
    assert (call["status"], failed["error"]) == ("INTERNAL", "RuntimeError")
    assert "alice" not in json.dumps(lines)


async def test_without_its_store_the_server_does_not_serve_until_it_is_back(tmp_path):
    states = health_pb2.HealthCheckResponse
    engine = open_engine(tmp_path, DOCUMENTS)
    async with running(engine) as server, grpc.aio.insecure_channel(server.address) as channel:
        client = server.client(retries=0)
        await client.evaluate("alice", "analytics")
        changes = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=""))
        assert (await anext(aiter(changes))).status == states.SERVING
        path = engine.config.database_path
        away = path.with_name("away.db")
        path.rename(away)
        with pytest.raises(SegserverError):
            await client.evaluate("alice", "analytics")
        assert (await anext(aiter(changes))).status == states.NOT_SERVING
        away.rename(path)
        assert (await anext(aiter(changes))).status == states.SERVING
        changes.cancel()
        assert await client.evaluate("alice", "analytics")
