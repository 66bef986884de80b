"""TLS for a client: whom to trust, and with which certificate to come."""

from __future__ import annotations

from pathlib import Path

import grpc

from segserver.errors import InvalidInput


def tls(
    ca_file: Path | str | None = None,
    cert_file: Path | str | None = None,
    key_file: Path | str | None = None,
) -> grpc.ChannelCredentials:
    """Credentials for :class:`segserver.client.Client` from PEM files.

    Args:
        ca_file: the authorities to trust; without it, the system's.
        cert_file: the client's certificate, followed by those between it and its authority, where the server
            asks for one (mTLS).
        key_file: the certificate's private key.

    Raises:
        InvalidInput: for a file that can't be read, or a certificate without its key.
    """
    if (cert_file is None) != (key_file is None):
        raise InvalidInput.of("cert_file", "certificate and key go together", reason="TLS_FILES_INVALID")
    authorities, certificate, key = (
        None if file is None else _read(Path(file)) for file in (ca_file, cert_file, key_file)
    )
    return grpc.ssl_channel_credentials(authorities, key, certificate)


def _read(file: Path) -> bytes:
    try:
        text = file.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{file}: {error.strerror}", reason="TLS_FILES_INVALID") from None
    if b"-----BEGIN" not in text:
        raise InvalidInput(f"{file}: this is not PEM", reason="TLS_FILES_INVALID")
    return text
