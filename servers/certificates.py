"""Certificates of a CA of our own: the right one, and those that a client must refuse."""

from __future__ import annotations

import atexit
import datetime
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

CERTIFIED = "certified"
"""The user who has to show a certificate, where TLS is required."""


@dataclass(frozen=True)
class Certificate:
    """A server's certificate and key, and the CA that a client trusts when it connects there."""

    certificate: Path
    key: Path
    ca: Path


class Certificates:
    """`right`, `wrong_host`, `expired` and a `client`'s of one CA; `ca` and `other_ca` are what a client may trust.

    The client's, too, but with a key that wants a password, is `locked`; `forged` names the CA that has not signed it.
    """

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="breakwater-certificates-"))
        atexit.register(shutil.rmtree, self._folder, ignore_errors=True)
        self._authority = trustme.CA(organization_name="breakwater tests")
        self.ca = self._folder / "ca.pem"
        self._authority.cert_pem.write_to_path(str(self.ca))
        self.other_ca = self._folder / "other-ca.pem"
        trustme.CA(organization_name="another CA").cert_pem.write_to_path(str(self.other_ca))
        self.right = self._issue("right", "127.0.0.1", "localhost")
        self.wrong_host = self._issue("wrong-host", "elsewhere.example")
        self.client = self._issue("client", CERTIFIED, common_name=CERTIFIED)
        long_ago = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
        self.expired = self._issue(
            "expired", "127.0.0.1", "localhost", valid=(long_ago, long_ago + datetime.timedelta(days=90))
        )
        self.forged = self._forge()
        self.locked = self._lock(self.client)

    def _issue(
        self,
        name: str,
        *hosts: str,
        valid: tuple[datetime.datetime, datetime.datetime] | None = None,
        common_name: str | None = None,
    ) -> Certificate:
        not_before, not_after = valid or (None, None)
        issued = self._authority.issue_cert(*hosts, not_before=not_before, not_after=not_after, common_name=common_name)
        certificate, key = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        for number, pem in enumerate(issued.cert_chain_pems):
            pem.write_to_path(str(certificate), append=number > 0)
        issued.private_key_pem.write_to_path(str(key))
        key.chmod(0o600)
        return Certificate(certificate, key, self.ca)

    def _forge(self) -> Certificate:
        key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.timezone.utc)
        forged = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, CERTIFIED)]))
            .issuer_name(x509.load_pem_x509_certificate(self.ca.read_bytes()).subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .sign(key, hashes.SHA256())
        )
        certificate = self._folder / "forged.pem"
        certificate.write_bytes(forged.public_bytes(serialization.Encoding.PEM))
        return Certificate(certificate, self._write_key("forged", key, serialization.NoEncryption()), self.ca)

    def _lock(self, certificate: Certificate) -> Certificate:
        key = serialization.load_pem_private_key(certificate.key.read_bytes(), None)
        locked = self._write_key("locked", key, serialization.BestAvailableEncryption(b"secret"))
        return Certificate(certificate.certificate, locked, self.ca)

    def _write_key(self, name: str, key: PrivateKeyTypes, encryption: serialization.KeySerializationEncryption) -> Path:
        path = self._folder / f"{name}.key"
        path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption))
        path.chmod(0o600)
        return path
