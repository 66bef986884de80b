"""Who a client certificate is for: its SPIFFE id, its DNS names, its subject."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from cryptography import x509

SPIFFE = "spiffe://"


@dataclass(frozen=True, slots=True)
class Presented:
    """What a client certificate says of its owner. The authority's signature is checked already, by TLS."""

    identities: tuple[str, ...]
    """As :func:`segserver.engine.callers.check_identity` has them."""
    expires: dt.datetime


def read(pem: bytes) -> Presented:
    """What a certificate says. Raises :class:`ValueError` for one that can't be read.

    A certificate with two URIs has no SPIFFE id (SPIFFE X509-SVID, section 2)."""
    certificate = x509.load_pem_x509_certificate(pem)
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
        hosts = names.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        uris, hosts = [], []
    found = [uri for uri in uris if uri.startswith(SPIFFE) and len(uris) == 1]
    found += [f"dns:{host.lower()}" for host in hosts]
    if subject := certificate.subject.rfc4514_string():
        found.append(f"subject:{subject}")
    return Presented(tuple(found), certificate.not_valid_after_utc)
