"""A bare grpc.aio server under uvloop that parses the request and sends a prepared reply: the yardstick."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import grpc
import uvloop

from segserver.v1 import segmentation_service_pb2 as pb


async def main(reply_file: str, ready_file: str) -> None:
    reply = pb.EvaluateSegmentsResponse.FromString(Path(reply_file).read_bytes())

    async def evaluate(request: pb.EvaluateSegmentsRequest, context: object) -> pb.EvaluateSegmentsResponse:
        return reply

    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    handler = grpc.unary_unary_rpc_method_handler(
        evaluate,
        request_deserializer=pb.EvaluateSegmentsRequest.FromString,
        response_serializer=pb.EvaluateSegmentsResponse.SerializeToString,
    )
    services = {"EvaluateSegments": handler}
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("segserver.v1.SegmentationService", services)]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    Path(ready_file).write_text(f"127.0.0.1:{port}")
    await server.wait_for_termination()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(*sys.argv[1:]))
