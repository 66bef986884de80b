"""A real OpenTelemetry collector's side: what arrives over OTLP."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as metrics_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as traces_grpc

from segserver.observe import otlp
from segserver.observe.counts import Timing
from segserver.observe.snapshot import Family, Snapshot, counter, distribution


class Collector(metrics_grpc.MetricsServiceServicer):
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self.metrics, self.spans = [], []

    def Export(self, request, context):
        self.metrics += request.resource_metrics
        return metrics.ExportMetricsServiceResponse()


class Traces(traces_grpc.TraceServiceServicer):
    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def Export(self, request, context):
        self._collector.spans += request.resource_spans
        return traces.ExportTraceServiceResponse()


@pytest.fixture
def collector():
    found = Collector()
    server = grpc.server(ThreadPoolExecutor(2))
    metrics_grpc.add_MetricsServiceServicer_to_server(found, server)
    traces_grpc.add_TraceServiceServicer_to_server(Traces(found), server)
    found.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield found
    server.stop(0).wait()


def snapshot() -> Snapshot:
    timing = Timing()
    timing.add(0.003)
    return Snapshot(
        worker=1,
        pid=7,
        version="1",
        start_us=1_000_000,
        time_us=3_000_000,
        catalog_version=1,
        catalog_digest="d",
        troubles=[],
        families=[
            counter("segserver_outcomes", "Answers.", "outcome", {"member": 2}),
            Family("segserver_commit_duration_seconds", "histogram", "Commits.", [distribution({}, timing)]),
        ],
    )


def test_the_last_numbers_are_sent_at_the_end(collector):
    about = otlp.resource("1.0", "here/1")
    otlp.Sender(otlp.exporter(collector.endpoint), about, snapshot).close()
    (sent,) = collector.metrics
    found = {metric.name: metric for metric in sent.scope_metrics[0].metrics}
    (point,) = found["segserver_outcomes"].sum.data_points
    assert (point.as_int, found["segserver_outcomes"].sum.is_monotonic) == (2, True)
    (point,) = found["segserver_commit_duration_seconds"].histogram.data_points
    assert (point.count, sum(point.bucket_counts)) == (1, 1)
    attributes = {a.key: a.value.string_value for a in sent.resource.attributes}
    assert attributes["service.instance.id"] == "here/1"


@pytest.mark.parametrize(("ratio", "spans"), [(1.0, 1), (0.0, 0)])
def test_spans_are_sent_for_their_share_of_calls(collector, ratio, spans):
    provider = otlp.tracers(collector.endpoint, ratio, otlp.resource("1.0", "here/1"))
    provider.get_tracer("segserver").start_span("segserver.v1.CatalogService/GetCatalog").end()
    provider.shutdown()
    assert len(collector.spans) == spans


def test_before_the_first_look_there_is_nothing_to_send(collector):
    otlp.Sender(otlp.exporter(collector.endpoint), otlp.resource("1.0", "here/1"), lambda: None).close()
    assert collector.metrics == []
