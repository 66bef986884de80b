"""Calls at a steady rate, whatever the answers do, in a process of its own; prints how long they took.

A generator that waits for an answer before it sends the next call sends few while the server is slow, and
so hides just what it should show ("coordinated omission"). Here arrivals are fixed beforehand (a Poisson
process in steps of a millisecond, which is how finely an event loop sleeps), and each call is timed from the
moment it was due, whether or not it could be sent then."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
from pathlib import Path

import grpc
import uvloop

CONNECTIONS = 8
TICK_S = 0.001
WARM_UP_S = 1.0
"""Calls of the first second are made, but not counted."""
TIMEOUT_S = 10.0


def took_ms(
    address: str, method: str, request: Path, key: str, *, rate: float, seconds: float
) -> list[float]:
    """How long each call took, in milliseconds, sorted; ``request`` holds the serialized message."""
    command = [sys.executable, __file__, address, method, str(request), key, str(rate), str(seconds)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return sorted(json.loads(output))


async def _drive(
    address: str, method: str, body: bytes, key: str, rate: float, seconds: float
) -> list[float]:
    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.aio.insecure_channel(address, options=options) for _ in range(CONNECTIONS)]
    calls = [channel.unary_unary(method) for channel in channels]
    metadata = [("authorization", f"Bearer {key}")]
    took: list[float] = []

    async def one(number: int, due: float) -> None:
        await calls[number % CONNECTIONS](body, metadata=metadata, timeout=TIMEOUT_S)
        if due - begin >= WARM_UP_S:
            took.append((time.perf_counter() - due) * 1_000)

    arrivals = _arrivals(rate, WARM_UP_S + seconds)
    running: list[asyncio.Task[None]] = []
    begin = time.perf_counter()
    for arrival in arrivals:
        due = begin + arrival
        while (left := due - time.perf_counter()) > 0:
            await asyncio.sleep(left)
        running.append(asyncio.create_task(one(len(running), due)))
    await asyncio.gather(*running)
    for channel in channels:
        await channel.close()
    return took


def _arrivals(rate: float, seconds: float) -> list[float]:
    """When calls are due, in seconds, always the same ones."""
    generator, at, found = random.Random(1), 0.0, []
    while (at := at + generator.expovariate(rate)) < seconds:
        found.append(round(at / TICK_S) * TICK_S)
    return found


if __name__ == "__main__":
    address, method, request, key, rate, seconds = sys.argv[1:]
    body = Path(request).read_bytes()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(_drive(address, method, body, key, float(rate), float(seconds)))))
