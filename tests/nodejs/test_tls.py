"""TLS is verified: the chain, the dates and the host's name; plain text is refused by a server that insists."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from servers import Certificates

from tests.nodejs.conftest import SERVERS
from tests.nodejs.node_runner import LambdaFolder

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("engine", SERVERS)
@pytest.mark.parametrize("name", ["right", "wrong-host", "expired"])
def test_certificates(engine: str, name: str, certificates: Certificates, tmp_path: Path) -> None:
    folder = LambdaFolder(tmp_path, certificates.ca.read_text())
    certificate = getattr(certificates, name.replace("-", "_"))
    files = {"TEST_CA": str(certificates.ca), "TEST_OTHER_CA": str(certificates.other_ca)}
    with SERVERS[engine](certificates=certificate, require_tls=True) as server:
        folder.run("tls", server, TEST_CERTIFICATE=name, **files)
        if name == "right":
            folder.run("system-ca", server, NODE_EXTRA_CA_CERTS=str(certificates.ca))
