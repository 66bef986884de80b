"""The numbers of one worker at one moment, in a form that travels: from a worker to its supervisor, and to
whoever shows them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from segserver.observe.counts import Timing


class Sample(msgspec.Struct, frozen=True, omit_defaults=True):
    """One number, or one distribution: ``buckets`` count between the bounds of ``counts.BOUNDS_S``."""

    labels: Mapping[str, str] = {}
    value: float = 0.0
    buckets: Sequence[int] = ()


class Family(msgspec.Struct, frozen=True):
    """All samples of one name. Names follow Prometheus: base units, ``_total`` left to the exposition."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    samples: Sequence[Sample]


class Trouble(msgspec.Struct, frozen=True):
    """Something that does not work now, though the worker serves."""

    component: str
    """``store``, ``catalog``, ``log`` or ``keys``."""
    reason: str
    message: str


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A worker: which it is, what serves, what it counts, what troubles it. Times are in microseconds since
    the epoch.
    """

    worker: int
    pid: int
    version: str
    start_us: int
    time_us: int
    catalog_version: int
    catalog_digest: str
    troubles: Sequence[Trouble]
    families: Sequence[Family]
    restarts: int = 0
    """How often a supervisor had to start this worker again."""


def counter(name: str, text: str, label: str, counted: Mapping[str, float]) -> Family:
    """A family of counters with one label."""
    return Family(name, "counter", text, [Sample({label: key}, n) for key, n in sorted(counted.items())])


def gauge(name: str, text: str, value: float) -> Family:
    """A single number that goes up and down."""
    return Family(name, "gauge", text, [Sample(value=value)])


def distribution(labels: Mapping[str, str], timing: Timing) -> Sample:
    """A timing as a sample; ``value`` is the sum in seconds."""
    return Sample(labels, timing.sum_s, list(timing.buckets))


def by_worker(snapshots: Iterable[Snapshot]) -> list[Family]:
    """The families of several workers as one list, each sample labelled with its worker."""
    merged: dict[str, Family] = {}
    for snapshot in snapshots:
        label = {"worker": str(snapshot.worker)}
        for family in snapshot.families:
            before = merged[family.name].samples if family.name in merged else ()
            samples = [msgspec.structs.replace(s, labels={**s.labels, **label}) for s in family.samples]
            merged[family.name] = msgspec.structs.replace(family, samples=[*before, *samples])
    return list(merged.values())
