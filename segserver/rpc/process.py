"""The life of one serving process: it starts, tells that it is ready, follows signals, and stops in order."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from segserver import __version__
from segserver.engine import Engine
from segserver.observe import otlp
from segserver.observe.link import Link, Place, Ready, Report, write_ready
from segserver.observe.prometheus import Endpoint
from segserver.observe.snapshot import Snapshot, by_worker
from segserver.rpc.handler import places
from segserver.rpc.server import Server

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

log = structlog.get_logger("segserver.rpc")


async def serve(engine: Engine, ready_file: Path | None = None, place: Place | None = None) -> None:
    """Serves until SIGINT or SIGTERM, or until a worker's supervisor is gone. SIGHUP makes it read again the
    catalog's directory, certificates and the keys for tokens.

    ``ready_file`` gets the address as soon as calls are taken; a worker, which has a ``place``, tells its
    supervisor instead."""
    stop, again = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, again.set)
    link = None if place is None else await Link.open(place)
    latest: list[Snapshot] = []

    def report(snapshot: Snapshot) -> None:
        latest[:] = [snapshot]
        if link is not None:
            link.send(Report(snapshot))

    with _exported(engine, latest, place) as tracer:
        server = Server(
            engine,
            worker=0 if place is None else place.worker,
            tracer=tracer,
            report=report,
            everybody=None if link is None else link.everybody,
        )
        address = await server.start()
        report(server.snapshot())
        gc.collect()
        gc.freeze()  # catalog and modules live as long as the process: the collector need not look at them
        await engine.record_start()
        engine.upkeep.start()
        _say_ready(engine, address, ready_file, link)
        await _until_stopped(engine, server, stop, again, link)
        log.info("stopping")
        await server.stop()
        await engine.record_stop()
        report(server.snapshot())
    if link is not None:
        await link.close()


def _say_ready(engine: Engine, address: str, ready_file: Path | None, link: Link | None) -> None:
    serving = engine.catalogs.serving
    log.info(
        "serving", address=address, catalog=serving.catalog.digest, segments=len(serving.catalog.segments)
    )
    if link is not None:
        link.send(Ready(address))
    elif ready_file is not None:
        write_ready(ready_file, address)


async def _until_stopped(
    engine: Engine, server: Server, stop: asyncio.Event, again: asyncio.Event, link: Link | None
) -> None:
    """Reloads whenever that is asked for, until the process is to stop."""
    waits = {"stop": stop, "again": again} | ({} if link is None else {"gone": link.gone})
    while True:
        tasks = {name: asyncio.ensure_future(event.wait()) for name, event in waits.items()}
        await asyncio.wait(tasks.values(), return_when=asyncio.FIRST_COMPLETED)
        for task in tasks.values():
            task.cancel()
        if not again.is_set() or stop.is_set():
            return
        again.clear()
        log.info("reloading")
        try:
            server.reload()
            if engine.config.catalog_dir is not None:
                await engine.catalogs.reload(engine.config.catalog_dir)
        except Exception as error:  # a server that serves goes on serving
            log.error("reload failed", error=type(error).__name__, at=places(error))


@contextlib.contextmanager
def _exported(engine: Engine, latest: list[Snapshot], place: Place | None) -> Iterator[Tracer | None]:
    """Shows the numbers where the settings say, and gives what makes traces, for as long as the block lasts.

    Raises :class:`Unavailable` for an address that can't be listened on, :class:`FailedPrecondition` without
    the libraries."""
    observe = engine.config.observe
    with contextlib.ExitStack() as stack:
        if observe.metrics_listen and place is None:
            endpoint = Endpoint(observe.metrics_listen, lambda: by_worker(latest))
            stack.callback(endpoint.close)
            log.info("metrics", port=endpoint.port)
        if not observe.otlp_endpoint:
            yield None
            return
        instance = f"{socket.gethostname()}/{0 if place is None else place.worker}"
        about = otlp.resource(__version__, instance)
        sender = otlp.Sender(
            otlp.exporter(observe.otlp_endpoint), about, lambda: latest[0] if latest else None
        )
        stack.callback(sender.close)
        provider = otlp.tracers(observe.otlp_endpoint, observe.trace_ratio, about)
        stack.callback(provider.shutdown)
        yield provider.get_tracer("segserver", __version__)
