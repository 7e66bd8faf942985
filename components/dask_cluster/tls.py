"""TLS between a scheduler, its workers and notebooks: one certificate that is its own authority.

As Dask's own `Security.temporary` makes one, but from a key of the stack: the same key gives the
same certificate, byte for byte, so nothing has to be kept and nothing changes by itself.
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass

import pulumi

from ..args import InputSecret, secret
from ..platforms.pick import needs

ROLES = ("client", "scheduler", "worker")
_BEGINS = datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC)
# RFC 5280, 4.1.2.5: of a certificate that does not expire. A new key is a new certificate.
_NEVER = datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=datetime.UTC)
_CONFIG = "DASK_DISTRIBUTED__COMM__"


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key, as PEM."""

    certificate: str
    key: str


def pair(key: str) -> Pair:
    """The certificate of a stack's key (hex digits)."""
    with needs("docker"):
        from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = Ed25519PrivateKey.from_private_bytes(_derived(key, "private key"))
    public = private.public_key()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "pulumi-jupyterhub dask")])
    usage = dict.fromkeys(_USAGES, False) | {"digital_signature": True, "key_cert_sign": True}
    own = x509.SubjectKeyIdentifier.from_public_key(public)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(int.from_bytes(_derived(key, "serial number")[:16]) >> 1)
        .not_valid_before(_BEGINS)
        .not_valid_after(_NEVER)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(own, critical=False)
        .sign(private, None)
    )
    return Pair(
        certificate.public_bytes(serialization.Encoding.PEM).decode(),
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode(),
    )


_USAGES = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
    *("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)


def _derived(key: str, purpose: str) -> bytes:
    return hmac.new(bytes.fromhex(key), f"dask {purpose}".encode(), hashlib.sha256).digest()


def variables(made: Pair, roles: Iterable[str] = ROLES) -> dict[str, str]:
    """Dask's settings for these roles; it takes a PEM's text where a file's name could be."""
    found = {f"{_CONFIG}TLS__CA_FILE": made.certificate}
    for role in roles:
        found[f"{_CONFIG}TLS__{role.upper()}__CERT"] = made.certificate
        found[f"{_CONFIG}TLS__{role.upper()}__KEY"] = made.key
    return found


def environment(key: InputSecret, roles: Iterable[str] = ROLES) -> dict[str, pulumi.Output[str]]:
    """The same as secrets, under names that are known without the key."""
    known = secret(key).apply(pair)
    names = variables(Pair("", ""), roles)
    return {
        name: known.apply(lambda made, name=name: variables(made, roles)[name])  # type: ignore[misc]
        for name in names
    }


def machine_environment(key: InputSecret) -> dict[str, pulumi.Input[str]]:
    """For scheduler and workers: they take part in nothing that isn't encrypted.

    Notebooks may: a `LocalCluster` of one's own is plain.
    """
    return {**environment(key), f"{_CONFIG}REQUIRE_ENCRYPTION": "True"}
