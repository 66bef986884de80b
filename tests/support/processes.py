"""A server as people run it: ``segserver serve`` in processes of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from segserver.client import Client
from segserver.client.connection import Connection
from segserver.client.status_calls import WorkerStatus

WAIT_S = 60.0


def until(holds: Callable[[], Any], within_s: float = WAIT_S) -> Any:
    """What ``holds`` says as soon as that is true."""
    deadline = time.monotonic() + within_s
    while not (found := holds()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)
    return found


class Process:
    """A started server. ``folder`` has its data, its catalog and its log."""

    def __init__(self, folder: Path, *options: str, config: str = "") -> None:
        self.folder, self.data = folder, folder / "data"
        self.ready_file, self.log_file = folder / "ready", folder / "server.log"
        self.ready_file.unlink(missing_ok=True)
        if config:
            (folder / "segserver.toml").write_text(config)
            options = (*options, "--config", str(folder / "segserver.toml"))
        self.command = [
            *(sys.executable, "-m", "segserver", "serve", "--dev", "--listen", "127.0.0.1:0"),
            *("--data-dir", str(self.data), "--catalog", str(folder / "catalog")),
            *("--ready-file", str(self.ready_file), *options),
        ]
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(  # noqa: S603  our own command
                self.command, stdout=log, stderr=log, env={**os.environ, "COLUMNS": "80"}
            )

    @property
    def address(self) -> str:
        """Where it listens, as soon as it serves."""
        until(lambda: self.ready_file.exists() or self.process.poll() is not None)
        assert self.ready_file.exists(), self.log_file.read_text()
        return self.ready_file.read_text()

    def client(self, **options: Any) -> Client:
        """A client on a connection of its own, which may reach another worker than the one before."""
        shared = Connection.options.fget
        alone = property(lambda self: [*shared(self), ("grpc.use_local_subchannel_pool", 1)])
        with patch.object(Connection, "options", alone):
            return Client(self.address, api_key=(self.data / "dev.key").read_text(), **options)

    def lines(self, event: str) -> list[Mapping[str, Any]]:
        """What it logged under a name."""
        found = [json.loads(line) for line in self.log_file.read_text().splitlines() if line.startswith("{")]
        return [line for line in found if line["event"] == event]

    def tell(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def stop(self) -> int:
        """An orderly stop; the exit code."""
        if self.process.poll() is None:
            self.tell(signal.SIGTERM)
        return self.process.wait(WAIT_S)


@contextmanager
def process(folder: Path, catalog: str, *options: str, config: str = "") -> Iterator[Process]:
    """A server for as long as the block lasts."""
    (folder / "catalog").mkdir(exist_ok=True)
    (folder / "catalog" / "catalog.yaml").write_text(catalog)
    started = Process(folder, *options, config=config)
    try:
        yield started
    finally:
        if started.process.poll() is None:
            started.process.terminate()
            started.process.wait(WAIT_S)


@contextmanager
def one_of_each(server: Process, workers: int) -> Iterator[dict[int, Client]]:
    """A connection to every worker, by its number: the system spreads connections among them."""
    found: dict[int, Client] = {}
    with ExitStack() as stack:
        for _ in range(50):
            client = stack.enter_context(server.client())
            before = {worker.worker: _looks(worker) for worker in client.status()}
            client.catalog()
            (number,) = until(
                lambda client=client, before=before: [
                    worker.worker for worker in client.status() if _looks(worker) > before[worker.worker]
                ]
            )
            found.setdefault(number, client)
            if len(found) == workers:
                break
        assert len(found) == workers
        yield found


def _looks(worker: WorkerStatus) -> float:
    return worker.value("segserver_calls", method="CatalogService/GetCatalog")
