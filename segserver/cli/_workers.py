"""The supervisor of several workers on one port: it starts each as a fresh process of the same command, and
again when one ends or no longer answers.

It serves nothing itself and imports neither gRPC nor the engine: a worker that is forked from a process in
which gRPC runs would not work, and a small supervisor has little that can fail.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import structlog

from segserver.config import Config
from segserver.errors import Unavailable
from segserver.observe.link import (
    FROM_WORKER,
    LINE_BYTES_MAX,
    VARIABLE,
    Everybody,
    Place,
    Ready,
    Report,
    line,
    write_ready,
)
from segserver.observe.prometheus import Endpoint
from segserver.observe.snapshot import Family, Sample, Snapshot, by_worker, gauge

log = structlog.get_logger("segserver.workers")

BACK_OFF_S = 0.5
BACK_OFF_S_MAX = 30.0
"""Between the ends of a worker and its next start: doubled each time, up to the second."""
STEADY_S = 30.0
"""A worker that ran for so long failed for another reason than the one before: its back-off begins anew."""
SILENT_S_MAX = 30.0
"""A worker that reports nothing for so long hangs, and is killed."""
STOP_S_MAX = 20.0
"""How long workers may take to stop: twice what calls in progress may take. After it they are killed."""


class Worker:
    """One place among the workers, and the process that has it now."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.process: asyncio.subprocess.Process | None = None
        self.ready = asyncio.Event()
        self.served = False
        """Whether any of its processes took calls."""
        self.report: Snapshot | None = None
        """Its process's last."""
        self.heard_s = 0.0
        """When it last spoke, on the monotonic clock."""
        self.restarts = 0

    @property
    def snapshot(self) -> Snapshot | None:
        """Its last report; ``None`` while there is none."""
        return None if self.report is None else msgspec.structs.replace(self.report, restarts=self.restarts)


class Supervisor:
    """Keeps ``config.workers`` workers. ``arguments`` are those of the command that each of them runs."""

    def __init__(self, arguments: Sequence[str], config: Config, ready_file: Path | None) -> None:
        self._config = config
        self._ready_file = ready_file
        self._workers = [Worker(number) for number in range(1, config.workers + 1)]
        self._stopping = asyncio.Event()
        self._reserved, self._address = reserve(config.listen)
        self._command = [sys.executable, "-P", "-m", "segserver", *arguments, "--listen", self._address]
        self._exit_code = 0

    async def run(self) -> int:
        """Serves until SIGINT or SIGTERM; SIGHUP goes on to the workers. Returns the exit code: that of the
        first worker where it does not even start.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stopping.set)
        loop.add_signal_handler(signal.SIGHUP, self._tell_all, signal.SIGHUP)
        with contextlib.ExitStack() as stack:
            stack.callback(self._reserved.close)
            if self._config.observe.metrics_listen:
                endpoint = Endpoint(self._config.observe.metrics_listen, self.families)
                stack.callback(endpoint.close)
                log.info("metrics", port=endpoint.port)
            await self._supervise()
        return self._exit_code

    def families(self) -> list[Family]:
        """The numbers of all workers, and of their supervision."""
        restarts = [Sample({"worker": str(w.number)}, w.restarts) for w in self._workers]
        running = sum(worker.ready.is_set() for worker in self._workers)
        return [
            *by_worker(self._snapshots()),
            Family("segserver_worker_restarts", "counter", "Workers that were started again.", restarts),
            gauge("segserver_workers_ready", "Workers that take calls.", running),
        ]

    def _snapshots(self) -> list[Snapshot]:
        return [snapshot for worker in self._workers if (snapshot := worker.snapshot) is not None]

    async def _supervise(self) -> None:
        """The first worker alone, for it makes what a first start makes; then the others; then waits."""
        first = self._workers[0]
        keeping = [asyncio.create_task(self._keep(first))]
        waiting = [asyncio.create_task(first.ready.wait()), asyncio.create_task(self._stopping.wait())]
        await asyncio.wait([*waiting, *keeping], return_when=asyncio.FIRST_COMPLETED)
        if first.ready.is_set() and not self._stopping.is_set():
            keeping += [asyncio.create_task(self._keep(worker)) for worker in self._workers[1:]]
            announcing = asyncio.create_task(self._announce())
            watching = asyncio.create_task(self._watch())
            await self._stopping.wait()
            log.info("stopping")
            announcing.cancel()
            watching.cancel()
        self._tell_all(signal.SIGTERM)
        _, late = await asyncio.wait(keeping, timeout=STOP_S_MAX)
        if late:
            self._tell_all(signal.SIGKILL)
            await asyncio.wait(late)
        for task in waiting:
            task.cancel()

    async def _announce(self) -> None:
        """Tells that the server is ready, once every worker is."""
        for worker in self._workers:
            await worker.ready.wait()
        log.info("serving", address=self._address, workers=len(self._workers))
        if self._ready_file is not None:
            write_ready(self._ready_file, self._address)

    async def _keep(self, worker: Worker) -> None:
        """Starts a worker's process, and again whenever it ends, until all are to stop."""
        back_off_s = BACK_OFF_S
        while not self._stopping.is_set():
            begin = time.monotonic()
            code = await self._run_once(worker)
            if self._stopping.is_set():
                return
            if not self._workers[0].served:
                self._exit_code = code if code > 0 else 1
                self._stopping.set()
                return
            if time.monotonic() - begin > STEADY_S:
                back_off_s = BACK_OFF_S
            log.error("worker ended", worker=worker.number, code=code, again_in_s=back_off_s)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), back_off_s)
            back_off_s = min(2 * back_off_s, BACK_OFF_S_MAX)
            worker.restarts += 1

    async def _run_once(self, worker: Worker) -> int:
        """One process of a worker, from its start to its end; its exit code."""
        ours, theirs = socket.socketpair()
        publishes = worker.number == 1 and not worker.served
        place = Place(worker.number, theirs.fileno(), publishes)
        with theirs:
            worker.process = await asyncio.create_subprocess_exec(
                *self._command,
                env={**os.environ, VARIABLE: place.text()},
                pass_fds=[theirs.fileno()],
                stdin=asyncio.subprocess.DEVNULL,
            )
        if self._stopping.is_set():
            worker.process.terminate()
        worker.heard_s = time.monotonic()
        reader, writer = await asyncio.open_connection(sock=ours, limit=LINE_BYTES_MAX)
        listening = asyncio.create_task(self._listen(worker, reader, writer))
        code = await worker.process.wait()
        worker.ready.clear()
        worker.process = None
        await listening
        worker.report = None
        writer.close()
        return code

    async def _listen(
        self, worker: Worker, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Hears what a worker says, until it is gone."""
        with contextlib.suppress(OSError):
            while text := await reader.readline():
                worker.heard_s = time.monotonic()
                message = FROM_WORKER.decode(text)
                if isinstance(message, Ready):
                    worker.ready.set()
                    worker.served = True
                elif isinstance(message, Report):
                    worker.report = message.snapshot
                else:
                    writer.write(line(Everybody(self._snapshots())))

    async def _watch(self) -> None:
        """Kills workers that hang: they took calls, and no longer report."""
        while True:
            await asyncio.sleep(SILENT_S_MAX / 10)
            for worker in self._workers:
                silent_s = time.monotonic() - worker.heard_s
                if worker.ready.is_set() and worker.process is not None and silent_s > SILENT_S_MAX:
                    log.error("worker hangs", worker=worker.number, silent_s=round(silent_s))
                    worker.process.kill()

    def _tell_all(self, number: signal.Signals) -> None:
        for worker in self._workers:
            if worker.process is not None:
                with contextlib.suppress(ProcessLookupError):
                    worker.process.send_signal(number)


def reserve(listen: str) -> tuple[socket.socket, str]:
    """A bound socket that keeps an address for workers to share, and the address, with its port.

    Raises :class:`Unavailable` when another program has it: also one that would share it, which is found out
    by binding it alone first."""
    host, _, port = listen.rpartition(":")
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
        family, _, _, _, address = found[0]
        with socket.socket(family, socket.SOCK_STREAM) as alone:
            alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            alone.bind(address)
            address = alone.getsockname()
        kept = socket.socket(family, socket.SOCK_STREAM)
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        kept.bind(address)
    except OSError as error:
        raise Unavailable(
            f"can't listen on {listen}: the port is in use, or the address is not this machine's; "
            "choose another with --listen",
            reason="ADDRESS_IN_USE",
        ) from error
    return kept, f"{host}:{kept.getsockname()[1]}"
