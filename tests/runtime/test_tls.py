"""TLS is verified: the chain, the dates and the host's name; a server that asks for it refuses plain text."""

from __future__ import annotations

import shutil
import ssl
from typing import TYPE_CHECKING

import pytest
from servers import Certificates, MariaDbServer
from servers.certificates import CERTIFIED
from servers.sql import SqlServer, rows

import breakwater_runtime as breakwater
from breakwater_runtime import tls
from breakwater_runtime.tls import ssl_context
from tests.runtime.lambda_context import Context

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(params=["mariadb", "postgresql"])
def tls_server(request: pytest.FixtureRequest) -> SqlServer:
    return request.getfixturevalue(f"tls_{request.param}")


def test_the_right_certificate_is_accepted_and_used(tls_server: SqlServer) -> None:
    database = breakwater.database(**tls_server.settings)
    question = (
        "SHOW SESSION STATUS LIKE 'Ssl_version'"
        if isinstance(tls_server, MariaDbServer)
        else "SELECT version, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    )
    with database.connection() as connection:
        assert rows(connection, question)[0][1].startswith("TLSv1.")
    with database.connection() as connection:
        assert rows(connection, "SELECT 1")[0][0] == 1
    assert (database.counters.connects, database.counters.reuses) == (1, 1)
    database.close()


def test_plain_text_is_refused_by_the_server(tls_server: SqlServer) -> None:
    settings = tls_server.settings
    del settings["tls_ca"]
    with pytest.raises(Exception, match=r"(?i)(secure transport|no encryption|denied)") as caught:
        breakwater.database(**settings).connection(Context(20)).__enter__()
    assert not isinstance(caught.value, breakwater.ConnectionUnavailable)


def test_an_expired_certificate_is_refused_at_once(server_type: type[SqlServer], certificates: Certificates) -> None:
    with server_type(certificates=certificates.expired) as server:
        database = breakwater.database(**server.settings)
        # libpq does not say why the chain was not verified
        with pytest.raises(Exception, match=r"(?i)certificate has expired|certificate verify failed"):
            database.connection(Context(20)).__enter__()
        assert database.counters.waits == 0


def test_a_host_beyond_loopback_is_verified_by_default() -> None:
    settings = {"engine": "mysql", "user": "app", "password": "not used"}
    assert breakwater.database(**settings, host="db.example.net")._keeper.settings.tls_ca == "system"
    for host in ("127.0.0.1", "127.1.2.3", "localhost", "LOCALHOST", "::1"):
        assert breakwater.database(**settings, host=host)._keeper.settings.tls_ca is None


def test_the_context_is_built_once_and_verifies(certificates: Certificates) -> None:
    context = ssl_context(str(certificates.ca))
    assert context is ssl_context(str(certificates.ca))
    assert context.check_hostname
    assert context.verify_mode == ssl.CERT_REQUIRED


def test_a_context_with_a_certificate_is_built_once(
    tls_mariadb: MariaDbServer, certificates: Certificates, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Loading a bundle of authorities at each attempt would take 20 ms of a processor."""
    made: list[str | None] = []
    new = tls._new_context

    def noted(path: str | None) -> ssl.SSLContext:
        made.append(path)
        return new(path)

    monkeypatch.setattr(tls, "_new_context", noted)
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    shutil.copy(certificates.client.certificate, certificate)
    shutil.copy(certificates.client.key, key)
    settings = tls_mariadb.settings | {"user": CERTIFIED}
    database = breakwater.database(**settings, ssl_cert=str(certificate), ssl_key=str(key))
    for contexts in (1, 1, 2):
        if contexts == 2:
            shutil.copy(certificates.right.certificate, certificate)
            shutil.copy(certificates.right.key, key)
        with database.connection(Context(20)) as connection:
            assert rows(connection, "SELECT 1")[0][0] == 1
        database.close()
        assert len(made) == contexts


@pytest.mark.parametrize(("tls_ca", "message"), [("bundled", "layer carries it"), ("/nowhere.pem", 'use "system"')])
def test_a_ca_that_is_not_there_is_named(server: SqlServer, tls_ca: str, message: str) -> None:
    database = breakwater.database(**server.settings, tls_ca=tls_ca)
    with pytest.raises(breakwater.ConfigurationError, match=message):
        database.connection(Context(20)).__enter__()
