"""An authority of one's own, and the certificates that it issues."""

import os
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_AUTHORITY = "Postbus, an authority of this installation"
_AUTHORITY_LIVES = timedelta(days=3650)
# Clients refuse what lives longer than 398 days.
_LIVES = timedelta(days=397)
#: With so much left or less, a certificate is issued anew.
RENEWED_WITHIN = timedelta(days=130)


class Authority:
    """Key and certificate of the authority, made where they are missing."""

    def __init__(self, directory: Path) -> None:
        key_file, self.certificate_file = directory / "authority.key", directory / "authority.crt"
        if key_file.exists() and self.certificate_file.exists():
            key = serialization.load_pem_private_key(key_file.read_bytes(), None)
            if not isinstance(key, ec.EllipticCurvePrivateKey):
                raise TypeError(f"{key_file} is no key of this authority")
            self._key = key
            self.certificate = x509.load_pem_x509_certificate(self.certificate_file.read_bytes())
            return
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _AUTHORITY)])
        self.certificate = (
            _builder(name, name, self._key.public_key(), _AUTHORITY_LIVES)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )
        write(key_file, pem(self._key), mode=0o600)
        write(self.certificate_file, _pem_of(self.certificate), mode=0o644)

    def issued(self, certificate: x509.Certificate) -> bool:
        return certificate.issuer == self.certificate.subject

    def issue(self, names: list[str]) -> tuple[bytes, bytes]:
        """A certificate for a server of these names, and its key, as PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
        identifier = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        certificate = (
            _builder(subject, self.certificate.subject, key.public_key(), _LIVES)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.SubjectAlternativeName([_general(name) for name in names]), critical=False
            )
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier),
                critical=False,
            )
            .sign(self._key, hashes.SHA256())
        )
        return _pem_of(certificate), pem(key)


def is_good(authority: Authority, file: Path, names: list[str]) -> bool:
    """Whether a certificate need not be issued: it is there, for these names, and lives on.

    One that another authority issued is somebody else's care, whatever is in it.
    """
    if not file.exists():
        return False
    if is_of_others(authority, file):
        return True
    certificate = x509.load_pem_x509_certificate(file.read_bytes())
    there = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return (
        set(there) == {_general(name) for name in names}
        and certificate.not_valid_after_utc - datetime.now(UTC) > RENEWED_WITHIN
    )


def is_of_others(authority: Authority, file: Path) -> bool:
    """Whether another authority issued it."""
    return file.exists() and not authority.issued(x509.load_pem_x509_certificate(file.read_bytes()))


def write(file: Path, content: bytes, *, mode: int, owner: int | None = None) -> None:
    """Write a file whole or not at all, never for a moment open to others."""
    draft = file.with_name(f".{file.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(content)
        out.flush()
        os.fchmod(out.fileno(), mode)
        if owner is not None:
            os.fchown(out.fileno(), owner, owner)
        os.fsync(out.fileno())
    draft.replace(file)


def pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _pem_of(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, lives: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        # A clock that is a little behind shall not refuse it.
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + lives)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
