"""The gRPC server: services behind the guard, health, reflection when enabled, an orderly stop."""

from __future__ import annotations

import asyncio
import gc
import signal
from pathlib import Path

import grpc
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from segserver.engine import Engine
from segserver.errors import FailedPrecondition, Unavailable
from segserver.rpc.audit import AuditServicer
from segserver.rpc.catalog import CatalogServicer
from segserver.rpc.consent import ConsentServicer
from segserver.rpc.guard import Guard, transport
from segserver.rpc.guard.tls import ServerTls
from segserver.rpc.handler import service_handler
from segserver.rpc.privacy import PrivacyServicer
from segserver.rpc.profiles import ProfileServicer
from segserver.rpc.segmentation import SegmentationServicer
from segserver.v1 import (
    audit_service_pb2,
    catalog_service_pb2,
    consent_service_pb2,
    privacy_service_pb2,
    profile_service_pb2,
    segmentation_service_pb2,
)

log = structlog.get_logger("segserver.rpc")

WATCH_S = 1.0
"""How often to look whether the audit log can be signed."""

DRAIN_S = 10.0
"""How long calls in progress may take when the server stops."""


class Server:
    """A listening server. Make one inside a running event loop."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._health = health.aio.HealthServicer()
        self._watching: asyncio.Task[None] | None = None
        self.guard = Guard(engine)
        self._tls = None if engine.config.tls.cert_file is None else ServerTls(engine.config.tls)
        self._server = grpc.aio.server(
            options=[*transport.options(engine.config.limits), ("grpc.so_reuseport", 0)]
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
        }
        self.service_names = [descriptor.full_name for descriptor in services]
        self._server.add_generic_rpc_handlers(
            [service_handler(descriptor, servicer, self.guard) for descriptor, servicer in services.items()]
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
        for name in ["", *self.service_names]:
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        self._watching = asyncio.create_task(self._watch())
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
        if self._watching is not None:
            self._watching.cancel()
        await self._health.enter_graceful_shutdown()
        await self._server.stop(DRAIN_S)
        await self.guard.denials.stop()

    async def _watch(self) -> None:
        """Tells of the AuditService that it does not serve for as long as the log can't be signed."""
        name = audit_service_pb2.DESCRIPTOR.services_by_name["AuditService"].full_name
        states = health_pb2.HealthCheckResponse
        while True:
            trouble = self._engine.audit.notary.trouble
            await self._health.set(name, states.NOT_SERVING if trouble else states.SERVING)
            await asyncio.sleep(WATCH_S)


async def serve(engine: Engine, ready_file: Path | None = None) -> None:
    """Serves until SIGINT or SIGTERM. ``ready_file`` gets the address as soon as calls are taken."""
    server = Server(engine)
    address = await server.start()
    gc.collect()
    gc.freeze()  # catalog and modules live as long as the process: the collector need not look at them
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await engine.record_start()
    engine.upkeep.start()
    serving = engine.catalogs.serving
    log.info(
        "serving", address=address, catalog=serving.catalog.digest, segments=len(serving.catalog.segments)
    )
    if ready_file is not None:
        partial = ready_file.with_name(ready_file.name + ".partial")
        partial.write_text(address, encoding="utf-8")
        partial.replace(ready_file)
    await stop.wait()
    log.info("stopping")
    await server.stop()
    await engine.record_stop()
