"""The Prometheus endpoint: HTTP with the latest numbers, in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from threading import Thread
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from segserver.errors import Unavailable
from segserver.observe.counts import BOUNDS_S
from segserver.observe.snapshot import Family, Sample

if TYPE_CHECKING:
    from wsgiref.simple_server import WSGIServer


class _Collector:
    """Gives a registry the families as they are at each scrape."""

    def __init__(self, families: Callable[[], Iterable[Family]]) -> None:
        self._families = families

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand, so that registering does not scrape."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """The families in the library's form."""
        for family in self._families():
            yield _metric(family)


class Endpoint:
    """A listening endpoint; ``port`` is the one that it took."""

    def __init__(self, listen: str, families: Callable[[], Iterable[Family]]) -> None:
        """Listens on ``HOST:PORT``. Raises :class:`Unavailable` when it can't."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Collector(families))
        host, _, port = listen.rpartition(":")
        self._server: WSGIServer
        self._thread: Thread
        try:
            self._server, self._thread = start_http_server(int(port), host.strip("[]"), registry)
        except OSError as error:
            raise Unavailable(
                f"can't listen on {listen} (observe.metrics_listen): {error.strerror}",
                reason="ADDRESS_IN_USE",
            ) from error
        self.port: int = self._server.server_port

    def close(self) -> None:
        """Stops listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _metric(family: Family) -> Metric:
    names = sorted({name for sample in family.samples for name in sample.labels})
    if family.kind == "histogram":
        histogram = HistogramMetricFamily(family.name, family.help, labels=names)
        for sample in family.samples:
            histogram.add_metric(_values(names, sample), _cumulated(sample), sample.value)
        return histogram
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    metric = kind(family.name, family.help, labels=names)
    for sample in family.samples:
        metric.add_metric(_values(names, sample), sample.value)
    return metric


def _values(names: list[str], sample: Sample) -> list[str]:
    return [sample.labels.get(name, "") for name in names]


def _cumulated(sample: Sample) -> list[tuple[str, float]]:
    bounds = [*map(str, BOUNDS_S), "+Inf"]
    return list(zip(bounds, accumulate(sample.buckets), strict=True))
