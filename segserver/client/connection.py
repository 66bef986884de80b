"""What both clients have in common but for waiting: the channel's options, the key, the deadlines."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import grpc

from segserver.client.calls import Call
from segserver.errors import InvalidInput

ATTEMPTS_MAX = 5
"""gRPC makes no more, whatever a service config says (gRFC A6)."""

_REPLY_BYTES_MAX = 64 * 1024 * 1024
"""A thousand subjects by a thousand segments do not fit gRPC's default of 4 MiB."""

_KEEPALIVE_MS = 360_000
"""Above the five minutes that a gRPC server allows by default, below the idle time of common load
balancers' TCP.
"""

_KEEPALIVE_TIMEOUT_MS = 10_000


@dataclass(frozen=True, slots=True)
class Connection:
    """Where a server is, how to speak to it and for how long.

    Args: address: ``host:port``, or any other target of gRPC. api_key: who calls; sent with each call, never
    logged. ``None`` sends none. token: called before each call in place of ``api_key``, for tokens that
    expire (JWT): returns the current one. timeout_s: the deadline of a call about one subject, retries
    included. lasting_timeout_s: the deadline of a call about many subjects or a whole catalog. retries: how
    often a call is sent again after UNAVAILABLE, at most 4, within its deadline. credentials: TLS, such as
    :func:`segserver.client.tls` makes it. ``None`` is TLS with the system's authorities, but on this machine,
    where it is none. insecure: speak without TLS to another machine; only through something that encrypts."""

    address: str
    api_key: str | None = field(repr=False)
    timeout_s: float
    lasting_timeout_s: float
    retries: int
    credentials: grpc.ChannelCredentials | None = None
    insecure: bool = False
    token: Callable[[], str] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.insecure and self.credentials is not None:
            raise InvalidInput.of("insecure", "contradicts credentials")
        if self.token is not None and self.api_key is not None:
            raise InvalidInput.of("token", "give an API key or tokens, not both")
        if not 0 <= self.retries < ATTEMPTS_MAX:
            raise InvalidInput.of("retries", f"expected 0 to {ATTEMPTS_MAX - 1}")
        if not (self.timeout_s > 0 and self.lasting_timeout_s > 0):
            raise InvalidInput.of("timeout_s", "expected more than 0 seconds")
        if self.api_key is not None and not (self.api_key.isascii() and self.api_key.isprintable()):
            raise InvalidInput.of("api_key", "expected printable ASCII, without a line end")

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What goes with each call."""
        credential = self.api_key if self.token is None else self.token()
        return (("authorization", f"Bearer {credential}"),) if credential else ()

    @property
    def encryption(self) -> grpc.ChannelCredentials | None:
        """With what the channel is encrypted; ``None``: it is not."""
        if self.credentials is None and not self.insecure and not is_loopback(self.address):
            return grpc.ssl_channel_credentials()
        return self.credentials

    @property
    def options(self) -> list[tuple[str, int | str]]:
        """The channel's options: gRPC itself retries, with jittered back-off, and keeps the connection
        alive.
        """
        return [
            ("grpc.service_config", json.dumps(_service_config(self.retries))),
            ("grpc.max_receive_message_length", _REPLY_BYTES_MAX),
            ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
            ("grpc.keepalive_timeout_ms", _KEEPALIVE_TIMEOUT_MS),
            ("grpc.enable_http_proxy", 0 if is_loopback(self.address) else 1),
        ]

    def deadline_s(self, call: Call[Any]) -> float:
        """How long the call may take."""
        return self.lasting_timeout_s if call.lasting else self.timeout_s


def is_loopback(address: str) -> bool:
    """Whether only this machine can be meant. A name that begins like a loopback address is a name all the
    same.
    """
    if address.startswith("unix:"):
        return True
    host = address.rpartition(":")[0].strip("[]")
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _service_config(retries: int) -> dict[str, object]:
    """Every call may be sent twice without harm, but for publishing, which would make two versions, and for
    recording events, which may have no ids.

    The form is that of gRFC A6; the most specific name wins.
    """
    if retries == 0:
        return {}
    policy = {
        "maxAttempts": retries + 1,
        "initialBackoff": "0.1s",
        "maxBackoff": "2s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    return {
        "methodConfig": [
            {"name": [{}], "retryPolicy": policy},
            {
                "name": [
                    {"service": "segserver.v1.CatalogService", "method": "PublishCatalog"},
                    {"service": "segserver.v1.ProfileService", "method": "RecordEvents"},
                    {"service": "segserver.v1.ProfileService", "method": "StreamEvents"},
                ]
            },
        ]
    }
