"""Kills a server under load, again and again, and looks for what it had acknowledged.

A real server process answers several connections and is killed with SIGKILL at a random moment: while it
starts, answers, signs or indexes. Then it is started again on the same data. After that, single workers of
a server of two are killed, while the calls go on. In the end every acknowledged
evaluation must be in the audit log, every acknowledged write must be in its profile, and the log must verify,
offline, in a fresh process, with the public key that was handed out at the first start.

    python scripts/chaos.py --kills 200 --seed 1
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Set
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from segserver.client import AsyncClient
from segserver.client.status_calls import WorkerStatus
from segserver.errors import SegserverError, Unavailable
from segserver.storage import log as store
from segserver.storage.sqlite import Database

CONNECTIONS, CALLS_EACH = 3, 4
LOAD_SECONDS_MAX = 0.8
START_SECONDS_MAX = 60.0
"""How long a start may take on a busy machine; a server that needs longer does not come back."""
KILLED_STARTING_IN = 5
"""One kill in so many hits a server that has not begun to serve."""
VERIFY_EVERY = 25

CATALOG = """
purposes:
  care: {legal_basis: contract, categories: [demographic]}
attributes:
  orders: {type: int, category: demographic}
segments:
  - {id: shop/buyer, rule: orders > 0}
  - {id: shop/regular, rule: orders > 10}
  - {id: shop/loyal, rule: orders > 1000}
"""


@dataclass
class Tally:
    """What clients were told, across all kills."""

    evaluations: set[str] = field(default_factory=set)
    """The ids of acknowledged evaluations."""
    written: dict[str, int] = field(default_factory=dict)
    """The last acknowledged value for each subject; each is written by one task, upwards."""
    writes: int = 0
    cut_off: int = 0
    """Calls that a kill left without an answer."""


class Server:
    """The server under test: one data directory, one process after the other."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self._ready = folder / "ready"
        self._errors = folder / "server.log"
        catalog = folder / "catalog"
        catalog.mkdir()
        (catalog / "catalog.yaml").write_text(CATALOG)
        self._command = [
            *(sys.executable, "-m", "segserver", "serve", "--dev", "--listen", "127.0.0.1:0"),
            *("--data-dir", str(self.data), "--catalog", str(catalog), "--ready-file", str(self._ready)),
        ]
        self.process: subprocess.Popen[bytes] | None = None
        self.start_seconds = 0.0
        """How long the last start took."""

    @property
    def key(self) -> str:
        """The API key of the development caller."""
        return (self.data / "dev.key").read_text()

    def launch(self, *options: str) -> subprocess.Popen[bytes]:
        """Starts a process; it does not serve yet."""
        self._ready.unlink(missing_ok=True)
        with self._errors.open("wb") as errors:
            self.process = subprocess.Popen([*self._command, *options], stdout=errors, stderr=errors)
        return self.process

    async def ready(self) -> str:
        """The address, as soon as it serves."""
        begin = time.monotonic()
        while not self._ready.exists():
            self.start_seconds = time.monotonic() - begin
            ended = self.process is None or self.process.poll() is not None
            if ended or self.start_seconds > START_SECONDS_MAX:
                raise RuntimeError(f"the server did not start:\n{self._errors.read_text()}")
            await asyncio.sleep(0.01)
        return self._ready.read_text()

    def kill(self) -> None:
        """SIGKILL, and waits until the process is gone."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> None:
        """An orderly stop."""
        if self.process is not None:
            self.process.terminate()
            if self.process.wait(START_SECONDS_MAX) != 0:
                raise RuntimeError(f"the server did not stop in order:\n{self._errors.read_text()}")


async def load(
    client: AsyncClient, subject: str, numbers: Iterator[int], tally: Tally, dead: asyncio.Event
) -> None:
    """Calls one after the other, until the server is gone. An error of a living server is a failure."""
    for number in numbers:
        try:
            if number % 4 == 0:
                await client.upsert_profile(subject, {"orders": number})
                tally.written[subject] = number
                tally.writes += 1
            else:
                tally.evaluations.add((await client.evaluate(subject, "care")).evaluation_id)
        except SegserverError:
            with suppress(TimeoutError):
                await asyncio.wait_for(dead.wait(), START_SECONDS_MAX)
            if not dead.is_set():
                raise
            tally.cut_off += 1
            return


async def strike(
    server: Server, key_file: Path, rng: random.Random, numbers: Iterator[int], tally: Tally
) -> None:
    """Starts the server, loads it, and kills it at a random moment. The first time, keeps the log's key."""
    server.launch()
    address = await server.ready()
    dead = asyncio.Event()
    clients = [AsyncClient(address, api_key=server.key, retries=0) for _ in range(CONNECTIONS)]
    try:
        if not key_file.exists():
            key_file.write_text((await clients[0].audit_checkpoint()).key)
        tasks = [
            asyncio.create_task(load(client, f"subject-{which}-{place}", numbers, tally, dead))
            for which, client in enumerate(clients)
            for place in range(CALLS_EACH)
        ]
        await asyncio.sleep(rng.uniform(0, LOAD_SECONDS_MAX))
        server.kill()
        dead.set()
        await asyncio.gather(*tasks)
    finally:
        for client in clients:
            await client.close()


async def strike_starting(server: Server, rng: random.Random) -> None:
    """Kills the server while it starts."""
    server.launch()
    await asyncio.sleep(rng.uniform(0, server.start_seconds))
    server.kill()


async def load_on(
    client: AsyncClient, subject: str, numbers: Iterator[int], tally: Tally, done: asyncio.Event
) -> None:
    """Calls one after the other, whatever becomes of the worker that answers. Only a lost connection is
    forgiven: any other error is a failure.
    """
    while not done.is_set():
        number = next(numbers)
        try:
            if number % 4 == 0:
                await client.upsert_profile(subject, {"orders": number})
                tally.written[subject] = number
                tally.writes += 1
            else:
                tally.evaluations.add((await client.evaluate(subject, "care")).evaluation_id)
        except Unavailable:
            tally.cut_off += 1


async def strike_workers(
    server: Server, kills: int, rng: random.Random, numbers: Iterator[int], tally: Tally
) -> None:
    """Kills single workers of a server of two, and waits each time until there are two again."""
    server.launch("--workers", "2")
    address, done = await server.ready(), asyncio.Event()
    clients = [AsyncClient(address, api_key=server.key, retries=0) for _ in range(CONNECTIONS)]
    operator = AsyncClient(address, api_key=server.key, retries=4)
    try:
        tasks = [
            asyncio.create_task(load_on(client, f"subject-{which}-{place}", numbers, tally, done))
            for which, client in enumerate(clients)
            for place in range(CALLS_EACH)
        ]
        for _ in range(kills):
            await asyncio.sleep(rng.uniform(0, LOAD_SECONDS_MAX))
            victim = rng.choice(await operator.status())
            os.kill(victim.pid, signal.SIGKILL)
            until = time.monotonic() + START_SECONDS_MAX
            while all(worker.pid == victim.pid for worker in await _workers(operator, victim.worker)):
                if time.monotonic() > until:
                    raise RuntimeError("a killed worker did not come back")
                await asyncio.sleep(0.05)
        done.set()
        await asyncio.gather(*tasks)
    finally:
        for client in (*clients, operator):
            await client.close()
    server.stop()


async def _workers(operator: AsyncClient, number: int) -> list[WorkerStatus]:
    """The reports of one worker; none while nobody answers."""
    try:
        return [worker for worker in await operator.status() if worker.worker == number]
    except Unavailable:
        return []


async def unwritten(server: Server, tally: Tally) -> list[str]:
    """The subjects whose profile is older than an acknowledged write."""
    server.launch()
    async with AsyncClient(await server.ready(), api_key=server.key) as client:
        stored = {
            subject: (await client.get_profile(subject)).attributes for subject in sorted(tally.written)
        }
    server.stop()
    return [subject for subject, value in tally.written.items() if stored[subject].get("orders", 0) < value]


def unlogged(data: Path, acknowledged: Set[str]) -> Set[str]:
    """The acknowledged evaluations that no entry of the log tells of."""
    connection = Database(data / "segserver.db", []).connect(read_only=True)
    size, _ = store.head(connection) or (0, b"")
    rows = (row for chunk in store.scan(connection, 0, size) for row in chunk)
    entries = (json.loads(payload or b"{}") for _, _, payload in rows)
    logged = {entry.get("request_id") for entry in entries if entry.get("kind") == "evaluation"}
    connection.close()
    return acknowledged - logged


def verify(data: Path, key_file: Path) -> str:
    """What ``segserver audit verify`` says, in a process of its own, with the key of the first start.

    It keeps what it verified beside the key, so that a log that lost its end is refused, too.
    """
    state = key_file.with_name("last-verified")
    command = [sys.executable, "-m", "segserver", "audit", "verify", "--key", str(key_file)]
    command += ["--checkpoint", str(state), "--data-dir", str(data)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"the log does not verify: {done.stderr}")
    return done.stdout.strip()


async def run(folder: Path, kills: int, seed: int, worker_kills: int = 0) -> int:
    """Kills so many times, prints what was found; returns the number of acknowledged calls that are lost."""
    rng, tally, server = random.Random(seed), Tally(), Server(folder)  # noqa: S311  moments, no secrets
    key_file, numbers = folder / "log.key", count(1)
    begin = time.monotonic()
    try:
        for kill in range(1, kills + 1):
            if kill % KILLED_STARTING_IN == 0:
                await strike_starting(server, rng)
            else:
                await strike(server, key_file, rng, numbers, tally)
            if kill % VERIFY_EVERY == 0:
                print(f"{kill} kills: {verify(server.data, key_file).splitlines()[0]}", flush=True)
        if worker_kills:
            await strike_workers(server, worker_kills, rng, numbers, tally)
        stale = await unwritten(server, tally)
    finally:
        server.kill()
    lost = unlogged(server.data, tally.evaluations)
    print(f"faults injected: {kills + worker_kills} (SIGKILL; seed {seed}; {time.monotonic() - begin:.0f} s)")
    print(f"of the server: {kills}, of single workers: {worker_kills}")
    print(f"calls acknowledged: {len(tally.evaluations)} evaluations, {tally.writes} writes")
    print(f"calls cut off: {tally.cut_off}")
    print(f"calls lost: {len(lost) + len(stale)}")
    print(verify(server.data, key_file))
    return len(lost) + len(stale)


def main() -> int:
    """Reads the arguments; the exit code is 1 when something acknowledged is lost."""
    parser = argparse.ArgumentParser(
        description="Kills a server under load and looks for what it had acknowledged."
    )
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--worker-kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1, help="the moments of the kills follow from it")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="segserver-chaos-") as folder:
        return (
            1
            if asyncio.run(run(Path(folder), arguments.kills, arguments.seed, arguments.worker_kills))
            else 0
        )


if __name__ == "__main__":
    sys.exit(main())
