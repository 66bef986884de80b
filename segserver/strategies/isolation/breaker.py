"""When a plugin host process that fails is started again, and when it is left alone for a while."""

from __future__ import annotations

from collections import deque
from enum import StrEnum

WINDOW_S = 60.0
"""Failures within so long count together, and so long without one makes the next pause short again."""
FIRST_PAUSE_S = 1.0


class State(StrEnum):
    """Whether calls go through."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"
    """After a pause: one call decides."""


class Breaker:
    """Opens after ``failures_max`` failures within a minute. After a pause, one call may try; when that fails
    too, the next pause is twice as long, up to ``pause_s_max``. Times are seconds of a monotonic clock."""

    def __init__(self, failures_max: int, pause_s_max: float) -> None:
        self._failures: deque[float] = deque(maxlen=failures_max)
        self._pause_s_max = pause_s_max
        self._pause_s = FIRST_PAUSE_S
        self._failed_at_s = float("-inf")
        self.state = State.CLOSED
        self.retry_at_s = 0.0
        """When an open breaker lets one call try."""

    def failed(self, now_s: float) -> bool:
        """Takes note of a failure; returns whether a closed breaker opened."""
        if now_s - self._failed_at_s > WINDOW_S:
            self._pause_s = FIRST_PAUSE_S
        self._failed_at_s = now_s
        self._failures.append(now_s)
        often = len(self._failures) == self._failures.maxlen and now_s - self._failures[0] <= WINDOW_S
        opens = self.state is State.CLOSED and often
        if opens or self.state is State.HALF_OPEN:
            self.state = State.OPEN
            self.retry_at_s = now_s + self._pause_s
            self._pause_s = min(2 * self._pause_s, self._pause_s_max)
        return opens

    def succeeded(self) -> None:
        """Takes note of an answer: it closes a breaker that is half-open."""
        if self.state is State.HALF_OPEN:
            self.state = State.CLOSED
            self._failures.clear()

    def permits(self, now_s: float) -> bool:
        """Whether the process may be started now; an open breaker whose pause is over is half-open then."""
        if self.state is State.OPEN and now_s >= self.retry_at_s:
            self.state = State.HALF_OPEN
        return self.state is not State.OPEN
