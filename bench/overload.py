"""Twice as many calls as the server can answer: those it accepts end in time, the others are refused at once.

The calls are batches, so that the load generator costs little beside the server. Capacity is measured
first."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.evaluation import ATTRIBUTES, CATALOG, RULES, _running
from segserver.client import AsyncClient, Client, ProfileChange
from segserver.errors import DeadlineExceeded, LimitExceeded

SUBJECTS = 20
ID_CHARACTERS = 300
"""Twenty such ids are more than the 4 KiB that make a request a large one."""
DEADLINE_S = 2.0
MEASURED_S = 10.0
AT_ONCE = 4
"""Calls in progress while capacity is measured."""


def rows() -> list[dict[str, Any]]:
    """At twice the capacity: the 99th percentile of what was accepted, and how soon the others heard."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "catalog").mkdir()
        segments = "".join(f"  - {{id: bench/s{n}, rule: {rule!r}}}\n" for n, rule in enumerate(RULES))
        (folder / "catalog" / "catalog.yaml").write_text(CATALOG + segments)
        serve = ["-m", "segserver", "serve", "--dev", "--listen", "127.0.0.1:0"]
        serve += ["--data-dir", str(folder / "data"), "--catalog", str(folder / "catalog")]
        with _running([*serve, "--ready-file", str(folder / "ready")], folder / "ready") as address:
            return asyncio.run(_measure(address, (folder / "data" / "dev.key").read_text()))


async def _measure(address: str, key: str) -> list[dict[str, Any]]:
    subjects = [f"customer:{number:0{ID_CHARACTERS}}" for number in range(SUBJECTS)]
    with Client(address, api_key=key) as client:
        client.upsert_profiles([ProfileChange(subject, ATTRIBUTES) for subject in subjects])
    async with AsyncClient(address, api_key=key, lasting_timeout_s=60, retries=0) as client:
        capacity = await _capacity(client, subjects)
    options = {"api_key": key, "lasting_timeout_s": DEADLINE_S, "retries": 0}
    async with AsyncClient(address, **options) as client:
        took = await _open_loop(client, subjects, 2 * capacity)
    accepted, refused = sorted(took["accepted"]), sorted(took["refused"])
    late = len(took["late"])
    answered = len(accepted) / MEASURED_S
    return [
        {
            "name": "answered at twice the capacity, batches",
            "value": answered,
            "unit": "calls/s",
            "yardstick": "capacity",
            "yardstick_value": capacity,
            "ratio": answered / capacity,
        },
        {
            "name": "accepted calls that ended within their deadline",
            "value": len(accepted) / max(1, len(accepted) + late) * 100,
            "unit": "%",
            "budget": "≥ 99 %",
            "ok": late * 99 <= len(accepted),
        },
        {
            "name": "99th percentile of the accepted ones",
            "value": _p99(accepted) * 1e3,
            "unit": "ms",
            "yardstick": "their deadline",
            "yardstick_value": DEADLINE_S * 1e3,
            "ratio": _p99(accepted) / DEADLINE_S,
            "budget": "≤ 1",
            "ok": _p99(accepted) <= DEADLINE_S,
        },
        {
            "name": "99th percentile of the refusals, with the time to try again",
            "value": _p99(refused) * 1e3,
            "unit": "ms",
            "yardstick": "the accepted ones",
            "yardstick_value": _p99(accepted) * 1e3,
            "ratio": _p99(refused) / _p99(accepted),
        },
    ]


def _p99(values: list[float]) -> float:
    return values[int(len(values) * 0.99)] if values else 0.0


async def _capacity(client: AsyncClient, subjects: list[str]) -> float:
    """Answers a second with a few calls in progress at all times."""
    until, answered = time.monotonic() + MEASURED_S, 0

    async def ask() -> None:
        nonlocal answered
        while time.monotonic() < until:
            await client.evaluate_batch(subjects, "analytics")
            answered += 1

    await asyncio.gather(*(ask() for _ in range(AT_ONCE)))
    return answered / MEASURED_S


async def _open_loop(client: AsyncClient, subjects: list[str], rate: float) -> dict[str, list[float]]:
    """Sends calls at a steady rate, whatever becomes of those before; how long each took, by how it ended."""
    took: dict[str, list[float]] = {"accepted": [], "refused": [], "late": []}

    async def ask() -> None:
        begin, ended = time.monotonic(), "accepted"
        try:
            await client.evaluate_batch(subjects, "analytics")
        except LimitExceeded as error:
            ended = "refused" if error.retry_after_s else "late"
        except DeadlineExceeded:
            ended = "late"
        took[ended].append(time.monotonic() - begin)

    begin, calls = time.monotonic(), []
    for number in range(int(rate * MEASURED_S)):
        await asyncio.sleep(max(0.0, begin + number / rate - time.monotonic()))
        calls.append(asyncio.ensure_future(ask()))
    await asyncio.gather(*calls)
    return took
