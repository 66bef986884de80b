"""Counters of one worker. Counting is adding to an integer, because it happens in every call; whoever wants
the numbers gathers them (:mod:`segserver.observe.snapshot`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

BOUNDS_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Upper bounds of a timing's buckets, in seconds; one more bucket holds what is above the last."""


OUTCOMES = ("member", "not_member", "unknown", "withheld")
GATE = ("open", "partly", "stopped")


class Timing:
    """How long something took: numbers by bucket, and their sum."""

    __slots__ = ("buckets", "sum_s")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BOUNDS_S) + 1)
        self.sum_s = 0.0

    def add(self, seconds: float) -> None:
        """Counts one."""
        self.buckets[bisect_left(BOUNDS_S, seconds)] += 1
        self.sum_s += seconds


@dataclass(slots=True)
class Commits:
    """What became durable since the worker started."""

    timing: Timing = field(default_factory=Timing)
    """Of transactions, from their begin to the disk, failed ones too."""
    units: int = 0
    """Units of work in those that became durable: a group commit has many."""
    failures: int = 0
    """Transactions that failed."""


@dataclass(slots=True)
class Counts:
    """What happened since the worker started."""

    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Ended calls by method and gRPC status."""
    durations: dict[str, Timing] = field(default_factory=dict)
    """Of calls, by method."""
    outcomes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    """Answers for one segment, by outcome."""
    gate: dict[str, int] = field(default_factory=lambda: dict.fromkeys(GATE, 0))
    """Evaluations by what the gate let through: ``open`` (everything), ``partly``, ``stopped`` (nothing)."""
    withheld: Counter[str] = field(default_factory=Counter)
    """Evaluations from which something was withheld, by reason code."""

    def called(self, method: str, status: str, seconds: float) -> None:
        """Counts a call that has ended."""
        self.calls[method, status] += 1
        timing = self.durations.get(method)
        if timing is None:
            timing = self.durations[method] = Timing()
        timing.add(seconds)
