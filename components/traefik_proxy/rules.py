"""What Traefik is told of safety, the same on every platform: paths, headers of answers, TLS."""

from __future__ import annotations

from typing import Any

from .args import TlsArgs, TlsKind

HEADERS = "secure-headers"
# What may be in a path as `%` and two digits: said in full, as Traefik's default was to refuse all
# of it from 3.6.4 to 3.6.6, and is to take it before and after. JupyterLab writes files' names so
# (`100%.ipynb` is `100%25.ipynb`), and real-time collaboration a whole path: `/` is `%2F` there.
# Refusing helps where a proxy guards paths that the server behind it reads otherwise. This one
# guards none: it matches and hands on a path as it came, `/user%2Fanna` doesn't get to anna's
# server, and each server asks for its own login. A null character is in no file's name.
ENCODED = {
    "allowEncodedSlash": True,
    "allowEncodedBackSlash": True,
    "allowEncodedNullCharacter": False,
    "allowEncodedSemicolon": True,
    "allowEncodedPercent": True,
    "allowEncodedQuestionMark": True,
    "allowEncodedHash": True,
}
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
