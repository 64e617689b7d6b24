"""Certificates for tests: self-signed ones, and a small authority that signs servers and clients."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, key_cert_sign=ca, crl_sign=ca, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _builder(
    name: str, key: ec.EllipticCurvePrivateKey, signer: ec.EllipticCurvePrivateKey, *, ca: bool
) -> x509.CertificateBuilder:
    """With the extensions that Python asks for from 3.13 on."""
    now = datetime.now(UTC)
    hosts = [x509.IPAddress(ip_address("127.0.0.1")), x509.IPAddress(ip_address("::1"))]
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(_usage(ca=ca), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )


def _pem(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey, password: bytes = b"") -> bytes:
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    return certificate.public_bytes(serialization.Encoding.PEM) + private


def self_signed(path: Path, *, name: str = "gateway", password: bytes = b"") -> Path:
    """A certificate for 127.0.0.1 and ::1 with its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    signed = _builder(name, key, key, ca=True).issuer_name(_name(name)).sign(key, hashes.SHA256())
    path.write_bytes(_pem(signed, key, password))
    path.chmod(0o600)
    return path


@dataclass(frozen=True, slots=True)
class Authority:
    """Signs; `path` is its own certificate."""

    directory: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def path(self) -> Path:
        return self.directory / "ca.pem"

    def sign(self, name: str) -> Path:
        """A certificate of that name with its key, in one PEM file."""
        key = ec.generate_private_key(ec.SECP256R1())
        built = _builder(name, key, self.key, ca=False).issuer_name(self.certificate.subject)
        issued = built.sign(self.key, hashes.SHA256())
        path = self.directory / f"{name}.pem"
        path.write_bytes(_pem(issued, key))
        path.chmod(0o600)
        return path


def authority(directory: Path) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    signed = _builder("authority", key, key, ca=True).issuer_name(_name("authority")).sign(key, hashes.SHA256())
    made = Authority(directory, key, signed)
    made.path.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    return made
