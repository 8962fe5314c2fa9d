"""`make_certificate` makes the self-signed certificate that clients of the stand-in trust.

Nothing about it is secret beyond one run: it is written to the directory given, which is normally
a temporary one, and the client is pointed at it by ``SSL_CERT_FILE`` or an SSL context.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Certificate:
    """Two PEM files: the certificate (to trust) and its private key (mode 0600)."""

    certificate: Path
    key: Path

    def server_context(self) -> ssl.SSLContext:
        """Return the context a TLS server presents this certificate with."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context

    def client_context(self) -> ssl.SSLContext:
        """Return the context of a client that trusts this certificate and nothing else."""
        return ssl.create_default_context(cafile=str(self.certificate))


def make_certificate(
    directory: Path,
    *,
    names: Sequence[str] = LOOPBACK_NAMES,
    age_s: float = DAY_S,
    lifetime_s: float = 30 * DAY_S,
    issuer: str = "Parley stand-in server",
) -> Certificate:
    """Write ``certificate.pem`` and ``key.pem`` into a directory (made when missing).

    ``names`` are host names and IP addresses; a name that is not loopback's makes a certificate
    that clients refuse. It is valid from ``age_s`` ago (a Pi's clock may be behind) until
    ``lifetime_s`` after that, so ``age_s > lifetime_s`` makes an expired one. ``issuer`` is who
    vouches for it, in words. Raises OSError.
    """
    private_key = ec.generate_private_key(ec.SECP256R1())
    begin = datetime.now(UTC) - timedelta(seconds=age_s)
    signed = _sign(private_key, names, issuer, begin, begin + timedelta(seconds=lifetime_s))
    directory.mkdir(parents=True, exist_ok=True)
    made = Certificate(directory / "certificate.pem", directory / "key.pem")
    made.certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    made.key.unlink(missing_ok=True)
    descriptor = os.open(made.key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(
            private_key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
    return made


def _sign(
    private_key: ec.EllipticCurvePrivateKey,
    names: Sequence[str],
    issuer: str,
    begin: datetime,
    end: datetime,
) -> x509.Certificate:

    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private_key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )
    for extension, critical in _extensions(private_key, names):
        builder = builder.add_extension(extension, critical)
    return builder.sign(private_key, hashes.SHA256())


def _extensions(
    private_key: ec.EllipticCurvePrivateKey, names: Sequence[str]
) -> list[tuple[x509.ExtensionType, bool]]:
    """Python 3.13 verifies with VERIFY_X509_STRICT, which asks for all of these in an anchor."""
    identifier = x509.SubjectKeyIdentifier.from_public_key(private_key.public_key())
    usage = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    return [
        (x509.SubjectAlternativeName([_general_name(name) for name in names]), False),
        (x509.BasicConstraints(ca=True, path_length=0), True),
        (x509.KeyUsage(digital_signature=True, key_cert_sign=True, **usage), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (identifier, False),
        (x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), False),
    ]


def _general_name(name: str) -> x509.GeneralName:

    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
