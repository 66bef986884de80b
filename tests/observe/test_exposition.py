"""Counters as Prometheus and OpenTelemetry see them."""

from __future__ import annotations

import urllib.request

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.metrics.export import Histogram, Sum
from prometheus_client.parser import text_string_to_metric_families

from segserver.client.status_calls import Measure, quantile
from segserver.errors import Unavailable
from segserver.observe import otlp
from segserver.observe.counts import BOUNDS_S, Counts, Timing
from segserver.observe.link import FROM_WORKER, Ask, Everybody, Place, Ready, Report, line
from segserver.observe.prometheus import Endpoint
from segserver.observe.snapshot import Family, Sample, Snapshot, by_worker, counter, distribution, gauge

seconds = st.floats(0, 20, allow_nan=False)


def timed(values) -> Timing:
    timing = Timing()
    for value in values:
        timing.add(value)
    return timing


def snapshot(worker, *families) -> Snapshot:
    return Snapshot(
        worker=worker,
        pid=7,
        version="1",
        start_us=1_000_000,
        time_us=3_000_000,
        catalog_version=1,
        catalog_digest="d",
        troubles=[],
        families=families,
    )


def shown(families) -> dict[str, object]:
    """What a scraper reads."""
    endpoint = Endpoint("127.0.0.1:0", lambda: families)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{endpoint.port}/metrics") as reply:
            text = reply.read().decode()
    finally:
        endpoint.close()
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_scraper_reads_what_was_counted():
    counts = Counts()
    for value in (0.0001, 0.003, 0.003, 11.0):
        counts.called("A/B", "OK", value)
    calls = [Sample({"method": m, "status": s}, n) for (m, s), n in counts.calls.items()]
    families = [
        Family("segserver_calls", "counter", "Calls.", calls),
        Family(
            "segserver_seconds", "histogram", "How long.", [distribution({"m": "x"}, counts.durations["A/B"])]
        ),
        counter("segserver_outcomes", "Answers.", "outcome", {"member": 2}),
        gauge("segserver_queue", "Waiting.", 3),
    ]
    found = shown(by_worker([snapshot(1, *families), snapshot(2, *families)]))
    assert found["segserver_calls_total", ("method", "A/B"), ("status", "OK"), ("worker", "2")] == 4
    assert found["segserver_seconds_bucket", ("le", "0.005"), ("m", "x"), ("worker", "1")] == 3
    assert found["segserver_seconds_bucket", ("le", "+Inf"), ("m", "x"), ("worker", "1")] == 4
    assert found["segserver_seconds_sum", ("m", "x"), ("worker", "1")] == pytest.approx(11.0061)
    assert found["segserver_outcomes_total", ("outcome", "member"), ("worker", "1")] == 2
    assert found["segserver_queue", ("worker", "2")] == 3


@given(st.lists(seconds, min_size=1), st.floats(0.01, 1))
def test_a_quantile_is_the_bound_above_so_many(values, share):
    timing = timed(values)
    assert sum(timing.buckets) == len(values)
    found = quantile((Measure("t", {}, timing.sum_s, tuple(timing.buckets), BOUNDS_S),), share)
    below = sum(value <= found for value in values)
    assert below >= share * len(values) - 1e-6
    lower = max((bound for bound in BOUNDS_S if bound < found), default=0.0)
    assert sum(value <= lower for value in values if lower) < share * len(values)


def test_a_port_in_use_is_named():
    endpoint = Endpoint("127.0.0.1:0", list)
    try:
        with pytest.raises(Unavailable, match="metrics_listen"):
            Endpoint(f"127.0.0.1:{endpoint.port}", list)
    finally:
        endpoint.close()


def test_open_telemetry_gets_the_same_numbers():
    timing = timed([0.003, 0.004, 30])
    data = otlp.metrics_data(
        snapshot(
            1,
            counter("segserver_outcomes", "Answers.", "outcome", {"member": 2}),
            Family("segserver_commit_duration_seconds", "histogram", "Commits.", [distribution({}, timing)]),
        ),
        otlp.resource("1.0", "here/1"),
    )
    (resource,) = data.resource_metrics
    assert resource.resource.attributes["service.instance.id"] == "here/1"
    outcomes, commits = resource.scope_metrics[0].metrics
    assert isinstance(outcomes.data, Sum)
    assert outcomes.data.data_points[0].value == 2
    assert isinstance(commits.data, Histogram)
    point = commits.data.data_points[0]
    assert (point.count, point.min, point.max, commits.unit) == (3, 0.002, 10.0, "s")
    assert sum(point.bucket_counts) == 3
    assert (point.start_time_unix_nano, point.time_unix_nano) == (1_000_000_000, 3_000_000_000)


def test_what_workers_and_supervisor_tell_each_other():
    report = Report(snapshot(1, gauge("segserver_queue", "Waiting.", 3.5)))
    for message in (Ready("127.0.0.1:1"), report, Ask()):
        assert line(FROM_WORKER.decode(line(message))) == line(message)
    assert b"\n" not in line(Everybody([report.snapshot]))[:-1]
    assert Place.of({}) is None
