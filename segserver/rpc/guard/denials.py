"""Refused calls in the audit log: each is counted, and a flood of them leaves few entries."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from urllib.parse import unquote

import structlog

from segserver.engine.callers import Denial
from segserver.errors import Unavailable

log = structlog.get_logger("segserver.rpc")

NETWORKS_MAX = 1_000
"""So many who, method and reason are told apart in one interval; what comes from elsewhere is counted
together.
"""
ELSEWHERE = "elsewhere"

Key = tuple[str, str, str, str]
"""Caller, network, method, reason."""


class Denials:
    """The first denial of its kind is in the log before the caller hears of it. Its repetitions are counted,
    and their number is logged when the interval ends, or the server.
    """

    def __init__(self, record: Callable[[Sequence[Denial]], Awaitable[None]], interval_s: float) -> None:
        self._record = record
        self._interval_s = interval_s
        self._repeated: dict[Key, int] = {}
        self._task: asyncio.Task[None] | None = None

    async def add(self, caller: str, peer: str, method: str, reason: str) -> None:
        """Counts a denial. Raises :class:`Unavailable` when its entry can't be written; it stays counted."""
        key = caller, network(peer), method, reason
        if key not in self._repeated and len(self._repeated) >= NETWORKS_MAX:
            key = "", ELSEWHERE, method, reason
        count = self._repeated.get(key)
        if count is not None:
            self._repeated[key] = count + 1
            return
        self._repeated[key] = 0
        try:
            await self._record([Denial(*key, times=1)])
        except BaseException:
            self._repeated[key] = self._repeated.get(key, 0) + 1
            raise

    async def flush(self) -> None:
        """Writes what was counted and begins another interval. Raises :class:`Unavailable`; counts stay."""
        counted, self._repeated = self._repeated, {}
        found = [Denial(*key, times=count) for key, count in counted.items() if count]
        if not found:
            return
        try:
            await self._record(found)
        except BaseException:
            for key, count in counted.items():
                self._repeated[key] = self._repeated.get(key, 0) + count
            raise

    def start(self) -> None:
        """Flushes at the end of each interval from now on."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Ends that, and writes what was counted since. A store that can't be used is told in the log."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        await self._flush_or_tell()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval_s)
            await self._flush_or_tell()

    async def _flush_or_tell(self) -> None:
        try:
            await self.flush()
        except Unavailable as error:
            count = sum(self._repeated.values())
            log.error("denials are not logged", count=count, reason=error.reason)


def network(peer: str) -> str:
    """Where a gRPC peer (``ipv4:192.0.2.1:40000``, ``ipv6:%5B2001:db8::1%5D:40000``, ``unix:``) comes from,
    without its port. Of an IPv6 address it is the first 64 bits: one household or machine has all of those.
    """
    kind, _, rest = peer.partition(":")
    if kind not in ("ipv4", "ipv6"):
        return kind
    host = unquote(rest).rpartition(":")[0].strip("[]").partition("%")[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return kind
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped) if mapped else str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
