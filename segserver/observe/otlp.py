"""OpenTelemetry: the numbers and the traces of a worker, sent to a collector (``segserver[otel]``).

The numbers are gathered already, so they go to the exporter as they are: the SDK's instruments would add an
SDK call to every count, which is what a worker spares itself."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import structlog

from segserver.errors import FailedPrecondition
from segserver.observe.counts import BOUNDS_S
from segserver.observe.snapshot import Family, Snapshot

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import Metric, MetricExporter, MetricsData
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

log = structlog.get_logger("segserver.observe")

INTERVAL_S = 15.0
EXPORT_S_MAX = 3
"""How long an attempt to send may take: also the last one, for which a stop waits."""
SCOPE = "segserver"


def resource(version: str, instance: str) -> Resource:
    """Who speaks; ``instance`` tells workers apart.

    Raises :class:`FailedPrecondition` where the libraries are not installed."""
    try:
        from opentelemetry.sdk.resources import Resource
    except ImportError as error:
        raise FailedPrecondition(
            "observe.otlp_endpoint needs OpenTelemetry: pip install 'segserver[otel]'",
            reason="OTEL_NOT_INSTALLED",
        ) from error
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # its lines are not JSON; ours tell
    return Resource.create(
        {"service.name": SCOPE, "service.version": version, "service.instance.id": instance}
    )


def exporter(endpoint: str) -> MetricExporter:
    """The OTLP exporter of numbers over gRPC; ``http://`` in an endpoint means without TLS."""
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter

    return OTLPMetricExporter(endpoint=endpoint, timeout=EXPORT_S_MAX)


def tracers(endpoint: str, ratio: float, about: Resource) -> TracerProvider:
    """What makes spans: of ``ratio`` of the calls, and of those whose caller traces; sent in batches, in the
    background.
    """
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio

    provider = TracerProvider(resource=about, sampler=ParentBasedTraceIdRatio(ratio))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, timeout=EXPORT_S_MAX)))
    return provider


class Sender:
    """A thread that sends the latest snapshot every :data:`INTERVAL_S`, and once more at the end."""

    def __init__(
        self, exporter: MetricExporter, about: Resource, latest: Callable[[], Snapshot | None]
    ) -> None:
        self._exporter = exporter
        self._about = about
        self._latest = latest
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="segserver-otlp", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Sends what there is, then stops."""
        self._stop.set()
        self._thread.join()
        self._exporter.shutdown()

    def _run(self) -> None:
        stopping = False
        while not stopping:
            stopping = self._stop.wait(INTERVAL_S)
            snapshot = self._latest()
            if snapshot is None:
                continue
            try:
                sent = self._exporter.export(metrics_data(snapshot, self._about)).name
            except Exception as error:  # whatever is wrong with the collector must not end the thread
                sent = type(error).__name__
            if sent != "SUCCESS":
                log.warning("metrics not sent", why=sent)


def metrics_data(snapshot: Snapshot, about: Resource) -> MetricsData:
    """A snapshot in the SDK's data model (cumulative, as Prometheus counts)."""
    from opentelemetry.sdk.metrics.export import MetricsData, ResourceMetrics, ScopeMetrics
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    metrics = [_metric(family, snapshot) for family in snapshot.families]
    scope = ScopeMetrics(InstrumentationScope(SCOPE, snapshot.version), metrics, "")
    return MetricsData([ResourceMetrics(about, [scope], "")])


def _metric(family: Family, snapshot: Snapshot) -> Metric:
    from opentelemetry.sdk.metrics.export import (
        AggregationTemporality,
        Gauge,
        Histogram,
        HistogramDataPoint,
        Metric,
        NumberDataPoint,
        Sum,
    )

    begin_ns, now_ns = snapshot.start_us * 1_000, snapshot.time_us * 1_000
    data: Gauge | Histogram | Sum
    if family.kind == "histogram":
        data = Histogram(
            [
                HistogramDataPoint(
                    sample.labels,
                    begin_ns,
                    now_ns,
                    sum(sample.buckets),
                    sample.value,
                    list(sample.buckets),
                    list(BOUNDS_S),
                    *_extremes(sample.buckets),
                )
                for sample in family.samples
            ],
            AggregationTemporality.CUMULATIVE,
        )
    else:
        points = [NumberDataPoint(s.labels, begin_ns, now_ns, s.value) for s in family.samples]
        if family.kind == "counter":
            data = Sum(points, AggregationTemporality.CUMULATIVE, is_monotonic=True)
        else:
            data = Gauge(points)
    unit = "s" if family.name.endswith("_seconds") else "By" if family.name.endswith("_bytes") else "1"
    return Metric(family.name, family.help, unit, data)


def _extremes(buckets: Sequence[int]) -> tuple[float, float]:
    """The least and the greatest that the buckets allow: single values are not kept."""
    filled = [place for place, count in enumerate(buckets) if count]
    if not filled:
        return 0.0, 0.0
    bounds = (0.0, *BOUNDS_S, BOUNDS_S[-1])
    return bounds[filled[0]], bounds[filled[-1] + 1]
