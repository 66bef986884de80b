"""Loads a server with everything that it does, for minutes, and looks whether its memory stays as it is.

Several connections evaluate, write, record and withdraw consent, explain, ask in batches and ask wrongly; a
catalog is published now and then. Meanwhile the server's own memory (without the file pages that the system
lends it) is read twice a second. When the caches are full, in the first third, it should grow no more.

    python scripts/soak.py --seconds 600
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from segserver.client import AsyncClient, Document, ProfileChange
from segserver.errors import InvalidInput, NotFound

CONNECTIONS, CALLS_EACH = 4, 4
SUBJECTS = 300
SAMPLE_S = 0.5
PUBLISH_EVERY_S = 2.0
START_S_MAX = 60.0
GROWTH_MB_MAX = 12.0
"""From the second to the last third. What a leak of a kilobyte a call would add is far more, even in the ten
seconds of the test; what the allocator's mood adds is less."""

CATALOG = """
purposes:
  care: {legal_basis: contract, categories: [demographic, behavioral]}
  marketing: {legal_basis: consent, categories: [demographic, behavioral]}
attributes:
  age: {type: int, category: demographic}
  city: {type: string, category: demographic}
  orders: {type: int, category: behavioral}
segments:
""" + "".join(
    f"  - {{id: shop/s{n}, rule: 'orders > {n} && age > {n + 18} || city == \"c{n}\"'}}\n" for n in range(30)
)


class Shop:
    """What clients do, at random. ``calls`` counts by kind."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)  # noqa: S311  a mixture, no secret
        self.calls: Counter[str] = Counter()
        self._kinds: dict[str, tuple[int, Callable[[AsyncClient, str], Awaitable[object]]]] = {
            "evaluate": (60, lambda client, subject: client.evaluate(subject, self._purpose())),
            "write": (15, self._write),
            "consent": (
                8,
                lambda client, subject: client.record_consent(subject, "marketing", method="form"),
            ),
            "withdraw": (4, lambda client, subject: client.withdraw_consent(subject, "marketing")),
            "batch": (3, self._batch),
            "explain": (4, lambda client, subject: client.explain(subject, "shop/s1", "care")),
            "wrong": (6, self._wrong),
        }

    async def run(self, client: AsyncClient, until: float) -> None:
        """One call after the other."""
        kinds = list(self._kinds)
        weights = [weight for weight, _ in self._kinds.values()]
        while time.monotonic() < until:
            (kind,) = self._rng.choices(kinds, weights)
            await self._kinds[kind][1](client, self._subject())
            self.calls[kind] += 1

    def _subject(self) -> str:
        return f"soak-{self._rng.randrange(SUBJECTS)}"

    def _purpose(self) -> str:
        return self._rng.choice(("care", "marketing"))

    async def _write(self, client: AsyncClient, subject: str) -> None:
        rng = self._rng
        values = {"age": rng.randrange(90), "city": f"c{rng.randrange(40)}", "orders": rng.randrange(40)}
        await client.upsert_profile(subject, {name: values[name] for name in rng.sample(list(values), 2)})

    async def _batch(self, client: AsyncClient, _: str) -> None:
        subjects = [self._subject() for _ in range(20)]
        await client.evaluate_batch(subjects, self._purpose())
        await client.upsert_profiles([ProfileChange(subject, {"orders": 3}) for subject in subjects[:5]])

    async def _wrong(self, client: AsyncClient, subject: str) -> None:
        try:
            if self._rng.random() < 0.5:
                await client.evaluate(subject, "care", [f"no/such-{self._rng.randrange(10**6)}"])
            else:
                await client.upsert_profile(subject, {f"unknown_{self._rng.randrange(10**6)}": 1})
        except (InvalidInput, NotFound):
            return
        raise RuntimeError("a wrong request was answered")


async def publish(client: AsyncClient, until: float) -> int:
    """Publishes another catalog now and then; how often."""
    done = 0
    while time.monotonic() + PUBLISH_EVERY_S < until:
        await asyncio.sleep(PUBLISH_EVERY_S)
        done += 1
        text = CATALOG.replace("shop/s29", f"shop/t{done % 2}")
        await client.publish_catalog([Document("catalog.yaml", text)])
    return done


async def watch(pid: int, until: float) -> list[float]:
    """The server's own memory in MB, every :data:`SAMPLE_S`."""
    samples = []
    while time.monotonic() < until:
        samples.append(memory_mb(pid))
        await asyncio.sleep(SAMPLE_S)
    return samples


def memory_mb(pid: int) -> float:
    """Anonymous resident memory (Linux)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("the system does not tell RssAnon")


def growth_mb(samples: Sequence[float]) -> float:
    """From the second third of the samples to the last, each by its median."""
    third = len(samples) // 3
    return statistics.median(samples[2 * third :]) - statistics.median(samples[third : 2 * third])


async def run(folder: Path, seconds: float, seed: int) -> float:
    """Loads a server for so long, prints what was found, and returns the growth in MB."""
    catalog, ready, data = folder / "catalog", folder / "ready", folder / "data"
    catalog.mkdir()
    (catalog / "catalog.yaml").write_text(CATALOG)
    command = [sys.executable, "-m", "segserver", "serve", "--dev", "--listen", "127.0.0.1:0"]
    command += ["--data-dir", str(data), "--catalog", str(catalog), "--ready-file", str(ready)]
    with (folder / "log").open("wb") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=stream)
    try:
        begin = time.monotonic()
        while not ready.exists():
            if process.poll() is not None or time.monotonic() - begin > START_S_MAX:
                raise RuntimeError(f"the server did not start:\n{(folder / 'log').read_text()}")
            await asyncio.sleep(0.05)
        address, key = ready.read_text(), (data / "dev.key").read_text()
        shop, until = Shop(seed), time.monotonic() + seconds
        clients = [AsyncClient(address, api_key=key, timeout_s=30.0) for _ in range(CONNECTIONS)]
        await clients[0].upsert_profiles([ProfileChange(f"soak-{n}", {"age": n}) for n in range(SUBJECTS)])
        samples, published, *_ = await asyncio.gather(
            watch(process.pid, until),
            publish(clients[0], until),
            *(shop.run(client, until) for client in clients for _ in range(CALLS_EACH)),
        )
        for client in clients:
            await client.close()
        process.terminate()
        if process.wait(START_S_MAX) != 0:
            raise RuntimeError(f"the server did not stop in order:\n{(folder / 'log').read_text()}")
    finally:
        process.kill()
        process.wait()
    calls, growth = sum(shop.calls.values()), growth_mb(samples)
    print(
        f"calls: {calls} in {seconds:.0f} s ({', '.join(f'{k} {n}' for k, n in sorted(shop.calls.items()))})"
    )
    print(f"catalogs published: {published}")
    print(
        f"memory: {samples[len(samples) // 3]:.1f} MB after the first third, {samples[-1]:.1f} MB at the end"
    )
    print(f"growth: {growth:+.2f} MB from the second third to the last; at most {GROWTH_MB_MAX:.0f}")
    return growth


def main() -> int:
    """Reads the arguments; the exit code is 1 when memory grew."""
    parser = argparse.ArgumentParser(description="Looks whether a loaded server's memory stays as it is.")
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="segserver-soak-") as folder:
        growth = asyncio.run(run(Path(folder), arguments.seconds, arguments.seed))
    return 1 if growth > GROWTH_MB_MAX else 0


if __name__ == "__main__":
    sys.exit(main())
