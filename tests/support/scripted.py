"""A real gRPC server on a free port that answers as a test says."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2
from google.rpc.status_pb2 import Status

import segserver.v1.catalog_service_pb2
import segserver.v1.profile_service_pb2
import segserver.v1.segmentation_service_pb2
import segserver.v1.status_service_pb2  # noqa: F401  # registers its descriptors

SERVICES = ("SegmentationService", "ProfileService", "CatalogService", "StatusService")


class Refusal(Exception):  # an answer, seen from the server
    """What a scripted method raises to fail a call."""

    def __init__(self, code, message="", *, reason="", metadata=None, violations=()):
        self.code, self.message = code, message
        self.reason, self.metadata, self.violations = reason, metadata or {}, violations

    @property
    def trailers(self):
        if not self.reason:
            return ()
        status = Status(code=self.code.value[0], message=self.message)
        info = error_details_pb2.ErrorInfo(reason=self.reason, domain="segserver", metadata=self.metadata)
        bad = error_details_pb2.BadRequest()
        for field, description in self.violations:
            bad.field_violations.add(field=field, description=description)
        for detail in (info, bad):
            packed = AnyMessage()
            packed.Pack(detail)
            status.details.append(packed)
        return (("grpc-status-details-bin", status.SerializeToString()),)


class ScriptedServer:
    """Answers each method with the next of its scripted replies; the last one answers from then on.

    A reply is a message, a :class:`Refusal`, or a function of the request that returns or raises one.
    """

    def __init__(self) -> None:
        self.replies: dict[str, deque[Any]] = defaultdict(deque)
        self.requests: list[Any] = []
        self.metadata: list[dict[str, Any]] = []
        self.remaining_s: list[float] = []
        self._server = grpc.server(ThreadPoolExecutor(8))
        pool = descriptor_pool.Default()
        for name in SERVICES:
            service = pool.FindServiceByName(f"segserver.v1.{name}")
            handlers = {method.name: self._handler(method) for method in service.methods}
            self._server.add_generic_rpc_handlers(
                (grpc.method_handlers_generic_handler(service.full_name, handlers),)
            )
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self.address = f"127.0.0.1:{self.port}"
        self._server.start()

    def reply(self, method: str, *replies: Any) -> None:
        """Scripts ``method``."""
        self.replies[method].extend(replies)

    def stop(self) -> None:
        self._server.stop(None).wait()

    def _handler(self, method: Any) -> grpc.RpcMethodHandler:
        request = message_factory.GetMessageClass(method.input_type)
        reply = message_factory.GetMessageClass(method.output_type)

        def answer(message: Any, context: grpc.ServicerContext) -> Any:
            self.requests.append(message)
            self.metadata.append(dict(context.invocation_metadata()))
            self.remaining_s.append(context.time_remaining())
            script = self.replies[method.name]
            step = (script.popleft() if len(script) > 1 else script[0]) if script else reply()
            try:
                if isinstance(step, Callable):
                    step = step(message)
                if isinstance(step, Refusal):
                    raise step
            except Refusal as refusal:
                context.set_trailing_metadata(refusal.trailers)
                context.abort(refusal.code, refusal.message)
            return step

        return grpc.unary_unary_rpc_method_handler(answer, request.FromString, reply.SerializeToString)
