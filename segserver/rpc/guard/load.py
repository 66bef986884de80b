"""What one worker does at once, and for whom: calls, bytes, rates, deadlines. A call that is too much is
refused before anything is done for it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from segserver.config import Limits, RateSettings
from segserver.errors import DeadlineExceeded, InvalidInput, LimitExceeded

LARGE_BYTES = 4_096
"""A request with more is a batch, or costs as much: the event loop works on it for milliseconds at a stretch.
"""

CROWD_CALLS = 8
"""With fewer calls in progress, none is refused for its deadline: how long they take is learnt from them."""
MARGIN = 2.0
"""A call is begun when its deadline leaves so many times what such calls take of late: their 99th percentile.
"""
FADING_S = 1.0
"""After so long without a call that ended, half of what was learnt is believed."""
LEARNING = 0.1
"""How much the newest call counts in what calls take of late."""

RETRY_FULL_S = 0.1
"""When to try again after too many calls at once: about what those in progress take."""
ACCOUNTS_MAX = 10_000


class Account:
    """What one caller uses of this worker: its calls in progress and its tokens (token bucket)."""

    __slots__ = ("burst", "calls", "counted_s", "rate", "tokens")

    def __init__(self, rate: float, burst: float, now_s: float) -> None:
        self.calls = 0
        self.rate = rate
        self.burst = burst
        self.tokens = burst
        self.counted_s = now_s


class Pace:
    """How long the work for one method's calls takes of late, in seconds."""

    __slots__ = ("_clock", "_learnt_s", "took_s")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._learnt_s = clock()
        self.took_s = 0.0

    def learn(self, took_s: float) -> None:
        """Counts a call that was answered."""
        self.took_s += (took_s - self.took_s) * LEARNING
        self._learnt_s = self._clock()

    def learn_late(self, took_s: float) -> None:
        """Counts a call that was given up by its caller: it would have taken longer still."""
        self.learn(max(took_s, self.took_s))

    def expected_s(self) -> float:
        """How long the next one takes. What was learnt fades while no call ends, so that refusing them all
        does not go on for ever.
        """
        return self.took_s * float(0.5 ** ((self._clock() - self._learnt_s) / FADING_S))


class Load:
    """How much is in progress in this worker, and how much may be."""

    def __init__(
        self, limits: Limits, rates: RateSettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limits = limits
        self._rates = rates
        self._clock = clock
        self._accounts: dict[str, Account] = {}
        self.calls = 0
        self.size_bytes = 0
        """All requests in progress, together."""
        self.turns = asyncio.Semaphore(limits.large_calls_max)
        """Large requests wait here, so that the event loop stays free to refuse what is too much."""
        self.large_calls = 0
        """How many of them are in progress or wait."""

    def account(self, name: str) -> Account:
        """The account of a caller."""
        found = self._accounts.get(name)
        if found is None:
            if len(self._accounts) >= ACCOUNTS_MAX:
                self._accounts = {name: one for name, one in self._accounts.items() if one.calls}
            rate = self._rates.callers.get(name, self._rates.calls_per_s)
            found = Account(rate, max(1.0, rate * self._rates.burst_s), self._clock())
            self._accounts[name] = found
        return found

    def enter(self, size_bytes: int) -> None:
        """Counts a call in; :meth:`leave` counts it out. Raises :class:`LimitExceeded` when the worker is
        full, :class:`InvalidInput` for a request that is too large.
        """
        limits = self._limits
        if self.calls >= limits.concurrent_calls_max:
            value = limits.concurrent_calls_max
            raise LimitExceeded(
                f"this worker serves {value} calls already (limits.concurrent_calls_max)",
                reason="CONCURRENT_CALLS",
                metadata={"limit": "concurrent_calls_max", "value": str(value)},
                retry_after_s=RETRY_FULL_S,
            )
        self.check_size(size_bytes)
        if self.size_bytes + size_bytes > limits.in_progress_bytes_max and self.calls:
            value = limits.in_progress_bytes_max
            raise LimitExceeded(
                f"the requests in progress may have {value} bytes in all (limits.in_progress_bytes_max)",
                reason="BYTES_IN_PROGRESS",
                metadata={"limit": "in_progress_bytes_max", "value": str(value)},
                retry_after_s=RETRY_FULL_S,
            )
        self.calls += 1
        self.size_bytes += size_bytes

    def check_size(self, size_bytes: int) -> None:
        """Raises :class:`InvalidInput` for a request that is too large."""
        if size_bytes > self._limits.message_bytes_max:
            raise InvalidInput.beyond("request", "limits.message_bytes_max", self._limits.message_bytes_max)

    def begin(self, account: Account) -> None:
        """Counts a call of this caller in; :meth:`leave` counts it out. Raises :class:`LimitExceeded` when
        the caller has too many in progress, or calls too often.
        """
        if account.calls >= self._limits.caller_concurrent_calls_max:
            value = self._limits.caller_concurrent_calls_max
            raise LimitExceeded(
                f"you have {value} calls in progress already (limits.caller_concurrent_calls_max)",
                reason="CALLER_CONCURRENT_CALLS",
                metadata={"limit": "caller_concurrent_calls_max", "value": str(value)},
                retry_after_s=RETRY_FULL_S,
            )
        self.take(account)
        account.calls += 1

    def take(self, account: Account) -> None:
        """Takes one of the caller's tokens. Raises :class:`LimitExceeded` when it calls too often."""
        now_s = self._clock()
        tokens = account.tokens + (now_s - account.counted_s) * account.rate
        account.counted_s = now_s
        account.tokens = min(tokens, account.burst)
        if account.tokens < 1.0:
            raise LimitExceeded(
                f"you call more often than {account.rate:g} times a second (rates.calls_per_s)",
                reason="RATE_EXCEEDED",
                metadata={"limit": "rates.calls_per_s", "value": f"{account.rate:g}"},
                retry_after_s=(1.0 - account.tokens) / account.rate,
            )
        account.tokens -= 1.0

    def check_pace(self, remaining_s: float | None, pace: Pace) -> None:
        """Raises :class:`DeadlineExceeded` for a call that came too late to be begun, and
        :class:`LimitExceeded` for one that would most likely not end in time: an answer that nobody waits for
        any more costs the others theirs.
        """
        check_deadline(remaining_s)
        if remaining_s is not None and remaining_s < pace.took_s * MARGIN and self.calls > CROWD_CALLS:
            _check_time(remaining_s, pace.expected_s() * MARGIN)

    def check_turn(self, remaining_s: float | None, pace: Pace) -> None:
        """The same for a large request, by how many are before it."""
        check_deadline(remaining_s)
        at_once = self._limits.large_calls_max
        if remaining_s is not None and self.large_calls >= at_once:
            _check_time(remaining_s, pace.expected_s() * (1.0 + self.large_calls / at_once) * MARGIN)

    def leave(self, size_bytes: int, account: Account | None) -> None:
        """Counts a call out; ``account`` is that of its caller, once it was counted in there."""
        self.calls -= 1
        self.size_bytes -= size_bytes
        if account is not None:
            account.calls -= 1


def check_deadline(remaining_s: float | None) -> None:
    """Raises :class:`DeadlineExceeded` for a call whose deadline has passed."""
    if remaining_s is not None and remaining_s <= 0.0:
        raise DeadlineExceeded("the deadline passed before the call was begun; nothing was done")


def _check_time(remaining_s: float, needed_s: float) -> None:
    if remaining_s < needed_s:
        raise LimitExceeded(
            f"such a call would need {needed_s:.3f} s at this load; its deadline leaves {remaining_s:.3f} s",
            reason="OVERLOADED",
            metadata={"needed_s": f"{needed_s:.3f}"},
            retry_after_s=needed_s,
        )
