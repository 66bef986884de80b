"""Between a worker and its supervisor: lines of JSON over a socket pair that the worker inherits.

The socket also tells each side when the other is gone: a worker without a supervisor stops in order.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from segserver.observe.snapshot import Snapshot

VARIABLE = "SEGSERVER_WORKER"
"""The variable of the environment that makes a process a worker: see :class:`Place`."""
LINE_BYTES_MAX = 16 * 1024 * 1024
ANSWER_S = 2.0
"""How long a worker waits for what its supervisor knows of the others."""


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The worker takes calls."""

    address: str


class Report(msgspec.Struct, frozen=True, tag="report"):
    """The worker's numbers, every second: it is alive."""

    snapshot: Snapshot


class Ask(msgspec.Struct, frozen=True, tag="ask"):
    """The worker wants to know of all workers."""


class Everybody(msgspec.Struct, frozen=True, tag="everybody"):
    """The answer: the last report of each worker."""

    snapshots: Sequence[Snapshot]


FROM_WORKER: msgspec.json.Decoder[Ready | Report | Ask] = msgspec.json.Decoder(Ready | Report | Ask)
_FROM_SUPERVISOR = msgspec.json.Decoder(Everybody)


def line(message: msgspec.Struct) -> bytes:
    """A message as it travels."""
    return msgspec.json.encode(message) + b"\n"


@dataclass(frozen=True, slots=True)
class Place:
    """What a worker is told at its start: its number from 1, the socket, and whether it publishes the
    catalog of the settings. One worker does, once: the later ones serve what was published since.
    """

    worker: int
    descriptor: int
    publishes: bool

    def text(self) -> str:
        """For the environment."""
        return f"{self.worker}:{self.descriptor}:{int(self.publishes)}"

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Place | None:
        """The place of this process; ``None`` for one that serves by itself."""
        text = environment.get(VARIABLE, "")
        if not text:
            return None
        worker, descriptor, publishes = map(int, text.split(":"))
        os.set_inheritable(descriptor, False)
        return cls(worker, descriptor, bool(publishes))


def write_ready(file: Path, address: str) -> None:
    """Writes the file that scripts wait for: they see all of it or nothing."""
    partial = file.with_name(file.name + ".partial")
    partial.write_text(address, encoding="utf-8")
    partial.replace(file)


class Link:
    """The worker's side."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._waiting: deque[asyncio.Future[Sequence[Snapshot]]] = deque()
        self.gone = asyncio.Event()
        """Set when there is no supervisor any more."""
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, place: Place) -> Link:
        """The link of a worker at this place."""
        inherited = socket.socket(fileno=place.descriptor)
        return cls(*await asyncio.open_connection(sock=inherited, limit=LINE_BYTES_MAX))

    def send(self, message: Ready | Report) -> None:
        """Tells the supervisor."""
        if not self.gone.is_set():
            self._writer.write(line(message))

    async def everybody(self) -> Sequence[Snapshot]:
        """What the supervisor last heard of each worker. Raises :class:`TimeoutError`."""
        answer: asyncio.Future[Sequence[Snapshot]] = asyncio.get_running_loop().create_future()
        self._waiting.append(answer)
        self._writer.write(line(Ask()))
        return await asyncio.wait_for(answer, ANSWER_S)

    async def close(self) -> None:
        """Ends the link."""
        self._reading.cancel()
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def _read(self) -> None:
        with contextlib.suppress(OSError):
            while text := await self._reader.readline():
                answer = self._waiting.popleft()
                if not answer.done():
                    answer.set_result(_FROM_SUPERVISOR.decode(text).snapshots)
        self.gone.set()
