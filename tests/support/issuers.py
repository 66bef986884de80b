"""A token issuer for tests: keys, tokens, and a web server that shows the keys over https."""

from __future__ import annotations

import http.server
import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from certificates import Authority
from joserfc import jwk, jwt

AUDIENCE = "segserver"

KEYS = {
    "RS256": lambda kid: jwk.RSAKey.generate_key(2048, {"kid": kid}),
    "ES256": lambda kid: jwk.ECKey.generate_key("P-256", {"kid": kid}),
    "Ed25519": lambda kid: jwk.OKPKey.generate_key("Ed25519", {"kid": kid}),
}


class TestIssuer:
    """Signs tokens. Its documents are what its web server shows."""

    __test__ = False

    def __init__(self, name: str = "https://id.example", algorithm: str = "ES256") -> None:
        self.name = name
        self.algorithm = algorithm
        self.keys = {"first": KEYS[algorithm]("first")}
        self.requests: list[str] = []
        self.works = True

    def key_set(self) -> dict[str, Any]:
        return {"keys": [key.as_dict(private=False) for key in self.keys.values()]}

    def write(self, file: Path) -> Path:
        file.write_text(json.dumps(self.key_set()))
        return file

    def token(
        self, claims: Mapping[str, Any], kid: str = "first", header: Mapping[str, Any] | None = None
    ) -> str:
        head = {"alg": self.algorithm, "kid": kid, **(header or {})}
        head = {name: value for name, value in head.items() if value is not None}
        return jwt.encode(head, dict(claims), self.keys[kid], algorithms=[head["alg"]])

    def documents(self) -> dict[str, Any]:
        return {
            "/.well-known/openid-configuration": {"issuer": self.name, "jwks_uri": f"{self.name}/keys"},
            "/keys": self.key_set(),
        }

    @contextmanager
    def serving(self, folder: Path, authority: Authority) -> Iterator[str]:
        """Shows its documents on this machine while the block lasts; its name becomes the address."""
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.requests.append(self.path)
                document = issuer.documents().get(self.path)
                self.send_response(200 if issuer.works and document is not None else 503)
                self.end_headers()
                self.wfile.write(json.dumps(document).encode())

            def log_message(self, *_: object) -> None:
                pass

        certificate, key = authority.server().write(folder, "issuer")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            # The handshake is the handler's, whose failure closes the connection.
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
            server.handle_error = lambda *_: None
            thread = threading.Thread(
                target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
            )
            thread.start()
            self.name = f"https://127.0.0.1:{server.server_port}"
            try:
                yield self.name
            finally:
                server.shutdown()
                thread.join()
