"""What gRPC itself is told to allow: sizes, streams, pings, idle and slow connections."""

from __future__ import annotations

from segserver.config import Limits

REPLY_FACTOR = 4
"""A reply may be so many times as large as a request: it repeats the segments for each subject."""

_IDENTITY_ONLY = 1
"""Of the bits of gRPC's compression algorithms. A compressed request of a few KiB can hold gigabytes."""

_KEEPALIVE_MS = 60_000
_KEEPALIVE_TIMEOUT_MS = 20_000
"""After so long without an answer to our own ping, a client is gone, and its calls are cancelled."""


def options(limits: Limits) -> list[tuple[str, int]]:
    """The server's channel arguments.

    gRPC refuses a message that is too large in words of its own. It is let through up to twice the limit, so
    that the caller gets our error, which names the setting."""
    return [
        ("grpc.max_receive_message_length", 2 * limits.message_bytes_max),
        ("grpc.max_send_message_length", REPLY_FACTOR * limits.message_bytes_max),
        ("grpc.max_metadata_size", limits.metadata_bytes_max),
        ("grpc.absolute_max_metadata_size", limits.metadata_bytes_max),
        ("grpc.max_concurrent_streams", limits.connection_calls_max),
        ("grpc.compression_enabled_algorithms_bitset", _IDENTITY_ONLY),
        ("grpc.http2.min_ping_interval_without_data_ms", int(limits.ping_interval_s_min * 1_000)),
        ("grpc.http2.max_ping_strikes", limits.ping_strikes_max),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", _KEEPALIVE_TIMEOUT_MS),
        ("grpc.max_connection_idle_ms", int(limits.connection_idle_s_max * 1_000)),
        ("grpc.server_handshake_timeout_ms", int(limits.handshake_s_max * 1_000)),
    ]
