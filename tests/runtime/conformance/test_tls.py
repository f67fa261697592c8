"""TLS is verified with every client: the chain, the host's name, and against what the CA's file holds now."""

from __future__ import annotations

import shutil
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest
from servers import Certificate, Certificates
from servers.certificates import CERTIFIED

import breakwater_runtime as breakwater
from breakwater_runtime._core import line
from breakwater_runtime._mysql.async_connection import AsyncMySqlConnection
from tests.runtime.conformance.promises import promise

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from servers.sql import SqlServer

    from tests.runtime.conformance.clients import Client

SECONDS = 20.0


@pytest.fixture
def tls_server(request: pytest.FixtureRequest, client: Client) -> SqlServer:
    return request.getfixturevalue(f"tls_{client.engine}")


@promise(42)
async def test_tls_is_verified(
    client: Client,
    tls_server: SqlServer,
    certificates: Certificates,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Lambda sets neither
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    real = socket.getaddrinfo

    def getaddrinfo(host: str, *more: Any) -> list[Any]:
        return real("127.0.0.1" if host == "elsewhere.test" else host, *more)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    encrypted = client.statement(
        mariadb="SELECT variable_value FROM information_schema.session_status WHERE variable_name = 'Ssl_version'",
        postgresql="SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
    )

    async def version(**changed: Any) -> str:
        async with client.open(tls_server.settings | changed, SECONDS).block() as connection:
            return (await connection.rows(encrypted))[0][0]

    assert (await version()).startswith("TLSv1.")
    # the tests' own CA is not the system's: that is what is said, and not that there is no file
    for tls_ca in ("system", str(certificates.other_ca)):
        with pytest.raises(Exception, match="certificate verify failed") as caught:
            await version(tls_ca=tls_ca)
        assert not isinstance(caught.value, breakwater.ConnectionUnavailable)
    with pytest.raises(Exception, match=r"(?i)hostname mismatch|does not match host name"):
        await version(host="elsewhere.test")
    replaced = tmp_path / "ca.pem"
    shutil.copy(certificates.other_ca, replaced)
    with pytest.raises(Exception, match="certificate verify failed"):
        await version(tls_ca=str(replaced))
    shutil.copy(certificates.ca, replaced)
    assert (await version(tls_ca=str(replaced))).startswith("TLSv1.")


@promise(42)
async def test_a_server_without_tls_is_refused(
    client: Client, sql_server: SqlServer, certificates: Certificates
) -> None:
    """aiomysql by itself would go on in plain text."""
    environment = client.open(sql_server.settings | {"tls_ca": str(certificates.ca)}, SECONDS)
    with pytest.raises(Exception, match=r"(?i)SSL is required|does not support SSL"):
        async with environment.block():
            pass


@promise(42)
def test_options_that_turn_verification_off_are_refused(client: Client, tls_server: SqlServer) -> None:
    options: list[dict[str, Any]] = (
        [{"ssl": None}, {"ssl_disabled": True}, {"ssl_verify_cert": False}, {"ssl_verify_identity": False}]
        if client.engine == "mariadb"
        else [{"sslmode": mode} for mode in ("disable", "allow", "prefer", "require", "verify-ca")]
        + [{"sslrootcert": "/elsewhere.pem"}, {"requiressl": 0}, {"hostaddr": "127.0.0.1"}]
    )
    for option in options:
        with pytest.raises(breakwater.ConfigurationError, match=next(iter(option))):
            client.open(tls_server.settings, SECONDS, **option)


def late(send: Callable[[Any, bytes], None]) -> Callable[[Any, bytes], None]:
    def send_late(receiver: Any, data: bytes) -> None:
        time.sleep(0.2)
        send(receiver, data)

    return send_late


@promise(41, 42)
async def test_a_client_s_certificate_is_shown_and_what_is_wrong_with_it_told_at_once(
    client: Client, tls_server: SqlServer, certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = client.statement(mariadb="ssl_cert ssl_key", postgresql="sslcert sslkey").split()
    # what lies there is not the settings' affair
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".postgresql").mkdir()
    shutil.copy(certificates.client.certificate, tmp_path / ".postgresql" / "postgresql.crt")
    shutil.copy(certificates.client.key, tmp_path / ".postgresql" / "postgresql.key")

    async def user(**options: str) -> str:
        environment = client.open(tls_server.settings | {"user": CERTIFIED}, SECONDS, **options)
        async with environment.block() as connection:
            return (await connection.rows("SELECT current_user"))[0][0]

    def of(one: Certificate) -> dict[str, str]:
        return {certificate: str(one.certificate), key: str(one.key)}

    assert (await user(**of(certificates.client))).startswith(CERTIFIED)
    wrong: dict[str, dict[str, str]] = {
        "valid client certificate|Access denied": {},
        "alert certificate expired": of(certificates.expired),
        "alert decrypt error": of(certificates.forged),
        "bad decrypt|PEM lib": of(certificates.locked),
        "no such file|No such file": of(certificates.client) | {certificate: "/nowhere.pem"},
        "values mismatch": of(certificates.client) | {key: str(certificates.right.key)},
        "needs both|PEM lib": {certificate: str(certificates.client.certificate)},
        "needs both|needs ssl_cert": {key: str(certificates.client.key)},
    }
    for said, options in wrong.items():
        with pytest.raises(Exception, match=said) as caught:
            await user(**options)
        assert not isinstance(caught.value, breakwater.ConnectionUnavailable)
    # so late that the server has already ended the connection
    for owner, name in ((line, "sent"), (AsyncMySqlConnection, "_write_bytes")):
        monkeypatch.setattr(owner, name, late(getattr(owner, name)))
    with pytest.raises(Exception, match="alert certificate expired") as caught:
        await user(**of(certificates.expired))
    assert not isinstance(caught.value, breakwater.ConnectionUnavailable)


@promise(42)
def test_a_host_that_looks_like_loopback_gets_no_plain_text(client: Client) -> None:
    settings = {"engine": client.engine, "user": "app", "password": "not used"}
    for host in ("localhost.attacker.example", "127.attacker.example", "127.0.0.1.attacker.example", "::1.example"):
        environment = client.open(settings | {"host": host}, SECONDS)
        assert environment.database._keeper.settings.tls_ca == "system"
