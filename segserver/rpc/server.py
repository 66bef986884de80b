"""The gRPC server: services behind the guard, health, reflection when enabled."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import grpc
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from segserver.engine import Engine
from segserver.engine.condition import CATALOG, LOG, STORE, Condition
from segserver.errors import FailedPrecondition, Unavailable
from segserver.observe.snapshot import Snapshot, Trouble
from segserver.rpc.audit import AuditServicer
from segserver.rpc.catalog import CatalogServicer
from segserver.rpc.consent import ConsentServicer
from segserver.rpc.guard import Guard, transport
from segserver.rpc.guard.tls import ServerTls
from segserver.rpc.handler import places, service_handler
from segserver.rpc.privacy import PrivacyServicer
from segserver.rpc.profiles import ProfileServicer
from segserver.rpc.segmentation import SegmentationServicer
from segserver.rpc.status_service import StatusServicer
from segserver.rpc.telemetry import Telemetry
from segserver.v1 import (
    audit_service_pb2,
    catalog_service_pb2,
    consent_service_pb2,
    privacy_service_pb2,
    profile_service_pb2,
    segmentation_service_pb2,
    status_service_pb2,
)

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

log = structlog.get_logger("segserver.rpc")

WATCH_S = 0.5
"""How often to look for another catalog, and what works: half of the second within which either shows."""

DRAIN_S = 10.0
"""How long calls in progress may take when the server stops."""


SUFFERING: Mapping[str, str] = {LOG: "AuditService", CATALOG: "CatalogService"}
"""By what does not work: the one service that suffers. Without the store, all do."""

Everybody = Callable[[], Awaitable[Sequence[Snapshot]]]
"""What is known of all workers of this server."""


class Server:
    """A listening server. Make one inside a running event loop.

    ``worker`` is its number among several that share a port; 0 stands alone. ``report`` gets its numbers
    every half second, and ``everybody`` knows those of all workers."""

    def __init__(
        self,
        engine: Engine,
        *,
        worker: int = 0,
        tracer: Tracer | None = None,
        report: Callable[[Snapshot], None] | None = None,
        everybody: Everybody | None = None,
    ) -> None:
        self._engine = engine
        self._worker = worker
        self._report = report
        self._everybody = everybody
        self._condition = Condition(engine)
        self._health = health.aio.HealthServicer()
        self._watching: asyncio.Task[None] | None = None
        self._refreshing: asyncio.Task[None] | None = None
        self.guard = Guard(engine)
        self._tls = None if engine.config.tls.cert_file is None else ServerTls(engine.config.tls)
        self._server = grpc.aio.server(
            options=[*transport.options(engine.config.limits), ("grpc.so_reuseport", int(worker > 0))]
        )
        services = {
            segmentation_service_pb2.DESCRIPTOR.services_by_name["SegmentationService"]: SegmentationServicer(
                engine
            ),
            profile_service_pb2.DESCRIPTOR.services_by_name["ProfileService"]: ProfileServicer(engine),
            consent_service_pb2.DESCRIPTOR.services_by_name["ConsentService"]: ConsentServicer(engine),
            privacy_service_pb2.DESCRIPTOR.services_by_name["PrivacyService"]: PrivacyServicer(engine),
            catalog_service_pb2.DESCRIPTOR.services_by_name["CatalogService"]: CatalogServicer(engine),
            audit_service_pb2.DESCRIPTOR.services_by_name["AuditService"]: AuditServicer(engine),
            status_service_pb2.DESCRIPTOR.services_by_name["StatusService"]: StatusServicer(self._snapshots),
        }
        self.service_names = [descriptor.full_name for descriptor in services]
        telemetry = Telemetry(engine.counts, log_calls=engine.config.observe.log_calls, tracer=tracer)
        self._server.add_generic_rpc_handlers(
            [
                service_handler(descriptor, servicer, self.guard, telemetry)
                for descriptor, servicer in services.items()
            ]
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        if engine.config.reflection:
            names = [*self.service_names, health.SERVICE_NAME, reflection.SERVICE_NAME]
            reflection.enable_server_reflection(names, self._server)

    async def start(self) -> str:
        """Listens, and returns the address as ``host:port``.

        Raises :class:`Unavailable` when the address can't be bound, :class:`FailedPrecondition` for one that
        other machines can reach, without TLS, unless the settings say ``insecure``."""
        config = self._engine.config
        if self._tls is None and not config.loopback and not config.insecure:
            raise FailedPrecondition(
                f"{config.listen} can be reached from other machines, and calls would travel in the clear; "
                "give the server a certificate (--tls-cert, --tls-key), listen on 127.0.0.1 behind a proxy "
                "that encrypts, or say --insecure",
                reason="PLAINTEXT_OUTSIDE_LOOPBACK",
            )
        host, _, port = config.listen.rpartition(":")
        try:
            bound = (
                self._server.add_insecure_port(config.listen)
                if self._tls is None
                else self._server.add_secure_port(config.listen, self._tls.credentials())
            )
        except RuntimeError as error:
            raise Unavailable(
                f"can't listen on {self._engine.config.listen}: the port is in use, "
                "or the address is not this machine's; choose another with --listen",
                reason="ADDRESS_IN_USE",
            ) from error
        await self._server.start()
        await self._tell(await self._condition.look())
        self._watching = asyncio.create_task(self._watch())
        self._refreshing = asyncio.create_task(self._engine.refresher.keep())
        self.guard.denials.start()
        return f"{host}:{bound or port}"

    def reload(self) -> None:
        """Reads the TLS files and the token issuer's keys again. What can't be used is told in the log, and
        the former stays.
        """
        if self._tls is not None:
            self._tls.reload()
        try:
            self.guard.reload()
        except FailedPrecondition as error:
            log.error("the former keys for tokens stay", why=error.message)

    async def stop(self) -> None:
        """Takes no more calls, lets those in progress finish for up to ten seconds, then closes."""
        for task in (self._watching, self._refreshing):
            if task is not None:
                task.cancel()
        await self._health.enter_graceful_shutdown()
        await self._server.stop(DRAIN_S)
        await self.guard.denials.stop()

    def snapshot(self) -> Snapshot:
        """The numbers of this worker now."""
        return self._condition.snapshot(self._worker, self.guard.load.calls)

    async def _snapshots(self) -> Sequence[Snapshot]:
        """Those of all workers; where the others can't be asked, its own."""
        if self._everybody is not None:
            with contextlib.suppress(TimeoutError):
                return await self._everybody()
        return [self.snapshot()]

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_S)
            try:
                await self._tell(await self._condition.look())
                if self._report is not None:
                    self._report(self.snapshot())
            except Exception as error:
                log.error("watch failed", error=type(error).__name__, at=places(error))

    async def _tell(self, troubles: Sequence[Trouble]) -> None:
        """Says of each service, and of the server as a whole, whether it serves."""
        states = health_pb2.HealthCheckResponse
        components = {trouble.component for trouble in troubles}
        suffering = {f"segserver.v1.{SUFFERING[name]}" for name in components & SUFFERING.keys()}
        for name in ["", *self.service_names]:
            works = STORE not in components and name not in suffering
            await self._health.set(name, states.SERVING if works else states.NOT_SERVING)
