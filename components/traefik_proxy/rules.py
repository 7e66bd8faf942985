"""What Traefik is told of safety, the same on every platform: headers of answers, and TLS."""

from __future__ import annotations

from typing import Any

from .args import TlsArgs, TlsKind

HEADERS = "secure-headers"
YEAR = 365 * 24 * 3600  # seconds
# With forward secrecy, and authenticated as a whole; those of TLS 1.3 are always such.
CIPHERS = [
    f"TLS_ECDHE_{key}_WITH_{cipher}"
    for cipher in ("AES_128_GCM_SHA256", "AES_256_GCM_SHA384", "CHACHA20_POLY1305_SHA256")
    for key in ("ECDSA", "RSA")
]


def safe_rules(tls: TlsArgs) -> dict[str, Any]:
    """Rules in the form of Traefik's file provider; the entry points name the headers."""
    rules: dict[str, Any] = {"http": {"middlewares": {HEADERS: {"headers": _headers(tls)}}}}
    if tls.kind is not TlsKind.none:
        default = {"minVersion": "VersionTLS12", "cipherSuites": CIPHERS}
        rules["tls"] = {"options": {"default": default}}
    return rules


def _headers(tls: TlsArgs) -> dict[str, Any]:
    """What every answer tells the browser: take files for what they say they are, keep to TLS.

    The latter not with a certificate that browsers warn of: they would no longer let anybody in.
    """
    headers: dict[str, Any] = {"contentTypeNosniff": True}
    trusted = (TlsKind.acme, TlsKind.provided, TlsKind.cert_manager)
    if tls.kind in trusted and not tls.staging:
        headers["stsSeconds"] = YEAR
    return headers
