"""An authority of the node's own, and the certificates and kubeconfigs of its parts."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LIFE = datetime.timedelta(days=7)  # the node is made anew each time


def key() -> rsa.RSAPrivateKey:
    """A new private key."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def private(key: rsa.RSAPrivateKey) -> str:
    """A key as PEM."""
    encoding, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(encoding, form, plain).decode()


def public(key: rsa.RSAPrivateKey) -> str:
    """A key's public half as PEM."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


@dataclass(frozen=True)
class Authority:
    """Signs for everybody on the node."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey

    @classmethod
    def make(cls) -> Authority:
        """A new one."""
        own, name = key(), _name("one-node-ca", None)
        constraint = x509.BasicConstraints(ca=True, path_length=None)
        builder = _builder(name, name, own).add_extension(constraint, critical=True)
        return cls(builder.sign(own, hashes.SHA256()), own)

    @property
    def pem(self) -> str:
        """Who everybody trusts."""
        return _pem(self.certificate)

    def issue(self, user: str, group: str | None, hosts: Iterable[str] = ()) -> tuple[str, str]:
        """Certificate and key of one part, as PEM."""
        own = key()
        usage = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = _builder(_name(user, group), self.certificate.subject, own)
        builder = builder.add_extension(x509.ExtendedKeyUsage(usage), critical=False)
        if names := [_host(host) for host in hosts]:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return _pem(builder.sign(self.key, hashes.SHA256())), private(own)

    def kubeconfig(self, server: str, user: str, group: str | None, folder: Path) -> Path:
        """The file by which one part talks to the API server."""
        certificate, own = (folder / f"{user.replace(':', '-')}.{kind}" for kind in ("crt", "key"))
        for file, text in zip((certificate, own), self.issue(user, group), strict=True):
            file.write_text(text)
        (folder / "ca.crt").write_text(self.pem)
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": "one-node",
                    "cluster": {"server": server, "certificate-authority": "ca.crt"},
                }
            ],
            "users": [
                {
                    "name": user,
                    "user": {"client-certificate": certificate.name, "client-key": own.name},
                }
            ],
            "contexts": [{"name": "one-node", "context": {"cluster": "one-node", "user": user}}],
            "current-context": "one-node",
        }
        file = certificate.with_suffix(".conf")
        file.write_text(yaml.safe_dump(document))
        return file


def _builder(
    subject: x509.Name, issuer: x509.Name, own: rsa.RSAPrivateKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + _LIFE)
    )


def _name(user: str, group: str | None) -> x509.Name:
    groups = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group)] if group else []
    return x509.Name([*groups, x509.NameAttribute(NameOID.COMMON_NAME, user)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
