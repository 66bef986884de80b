"""The server's own certificate, which changes without a restart."""

from __future__ import annotations

import datetime as dt
import threading
import time
from pathlib import Path
from typing import NamedTuple

import grpc
import structlog
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from segserver.config import TlsSettings
from segserver.errors import FailedPrecondition

log = structlog.get_logger("segserver.rpc")

LOOK_S = 1.0
"""How often the files are looked at, when connections come."""


class Material(NamedTuple):
    """The contents of the files."""

    certificates: bytes
    key: bytes
    client_authorities: bytes | None


class ServerTls:
    """Certificate and key from files. Each new connection gets the newest that belong together; those that
    don't are told in the log, and the former ones stay.

    Raises :class:`FailedPrecondition` for files that can't be used."""

    def __init__(self, settings: TlsSettings) -> None:
        self._settings = settings
        self._seen = self._stamps()
        self._material = self._read()
        self._looked_s = time.monotonic()
        self._pending: grpc.ServerCertificateConfiguration | None = None
        self._lock = threading.Lock()

    def credentials(self) -> grpc.ServerCredentials:
        """What a port listens with. With authorities for clients, each client must show a certificate."""
        return grpc.dynamic_ssl_server_credentials(
            _configuration(self._material),
            self._renewed,
            require_client_authentication=self._material.client_authorities is not None,
        )

    def reload(self) -> bool:
        """Reads the files; whether what they hold is used from the next connection on."""
        with self._lock:
            self._seen = self._stamps()
            try:
                material = self._read()
            except FailedPrecondition as error:
                log.error("the TLS files can't be used; the former ones stay", why=error.message)
                return False
            if material != self._material:
                self._material = material
                self._pending = _configuration(material)
                log.info("new TLS files are used")
            return True

    def _renewed(self) -> grpc.ServerCertificateConfiguration | None:
        """A new configuration, if there is one. gRPC asks at each new connection, on a thread of its own."""
        now_s = time.monotonic()
        if now_s - self._looked_s >= LOOK_S:
            self._looked_s = now_s
            if self._stamps() != self._seen:
                self.reload()
        with self._lock:
            pending, self._pending = self._pending, None
        return pending

    def _stamps(self) -> list[tuple[int, int, int] | None]:
        return [_stamp(path) for path in self._paths() if path is not None]

    def _paths(self) -> tuple[Path | None, Path | None, Path | None]:
        settings = self._settings
        return settings.cert_file, settings.key_file, settings.client_ca_file

    def _read(self) -> Material:
        try:
            certificates, key, authorities = (
                None if path is None else path.read_bytes() for path in self._paths()
            )
        except OSError as error:
            raise _unusable(f"{error.filename}: {error.strerror}") from None
        if certificates is None or key is None:
            raise _unusable("there is no certificate or no key")
        material = Material(certificates, key, authorities)
        _check(material)
        return material


def _check(material: Material) -> None:
    """Raises unless key and certificate belong together and the certificate holds."""
    try:
        chain = x509.load_pem_x509_certificates(material.certificates)
        key = load_pem_private_key(material.key, password=None)
        if material.client_authorities is not None:
            x509.load_pem_x509_certificates(material.client_authorities)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _unusable(f"not PEM, or a key with a passphrase ({type(error).__name__})") from None
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    if chain[0].public_key().public_bytes(*form) != key.public_key().public_bytes(*form):
        raise _unusable("the key is not that of the first certificate")
    if chain[0].not_valid_after_utc <= dt.datetime.now(dt.UTC):
        raise _unusable(f"the certificate ended on {chain[0].not_valid_after_utc:%Y-%m-%d}")


def _unusable(why: str) -> FailedPrecondition:
    return FailedPrecondition(f"the TLS files can't be used: {why}", reason="TLS_FILES_INVALID")


def _configuration(material: Material) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(material.key, material.certificates)], root_certificates=material.client_authorities
    )


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """What changes with a file's contents; symbolic links, which Kubernetes exchanges, are followed."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
