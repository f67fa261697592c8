"""Certificates of a CA of our own: the right one, and those that a client must refuse."""

from __future__ import annotations

import atexit
import datetime
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import trustme

CERTIFIED = "certified"
"""The user who has to show a certificate, where TLS is required."""


@dataclass(frozen=True)
class Certificate:
    """A server's certificate and key, and the CA that a client trusts when it connects there."""

    certificate: Path
    key: Path
    ca: Path


class Certificates:
    """`right`, `wrong_host`, `expired` and a `client`'s of one CA; `ca` and `other_ca` are what a client may trust."""

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
