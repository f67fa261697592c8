"""Secrets and IAM tokens; Secrets Manager is botocore's own client against a local endpoint."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

import pytest

import breakwater_runtime as breakwater
from breakwater_runtime import credentials
from tests.runtime.aws_endpoint import AwsEndpoint
from tests.runtime.sql import Context, SqlServer, execute, rows
from tests.servers import Certificates, MariaDbServer

if TYPE_CHECKING:
    from collections.abc import Iterator

ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop"


class SecretsManager:
    """What the endpoint hands out."""

    def __init__(self) -> None:
        self.value: str | dict[str, Any] = {}
        self.fetched = 0

    def answer(self, operation: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        assert (operation, request["SecretId"]) == ("GetSecretValue", ARN)
        self.fetched += 1
        text = self.value if isinstance(self.value, str) else json.dumps(self.value)
        return 200, {"ARN": ARN, "Name": "shop", "SecretString": text}


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[SecretsManager]:
    manager = SecretsManager()
    credentials.client.cache_clear()
    with AwsEndpoint(manager.answer) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", endpoint.url)
        monkeypatch.setenv("AWS_REGION", "eu-central-1")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        yield manager
    credentials.client.cache_clear()


def secret(server: SqlServer) -> dict[str, Any]:
    return {
        "username": server.user,
        "password": server.password,
        "host": server.host,
        "port": server.port,
        "dbname": server.database,
        "engine": server.engine,
    }


def set_password(server: SqlServer, password: str) -> None:
    statement = (
        f"ALTER USER app@'127.0.0.1' IDENTIFIED BY '{password}'"
        if isinstance(server, MariaDbServer)
        else f"ALTER ROLE app PASSWORD '{password}'"
    )
    with server.admin() as admin:
        execute(admin, statement)


def test_settings_of_the_constructs(
    server: SqlServer, manager: SecretsManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager.value = secret(server)
    monkeypatch.setenv("BREAKWATER_ENGINE", server.engine)
    monkeypatch.setenv("BREAKWATER_HOST", server.host)
    monkeypatch.setenv("BREAKWATER_PORT", str(server.port))
    monkeypatch.setenv("BREAKWATER_SECRET_ARN", ARN)
    monkeypatch.setenv("BREAKWATER_MAX_CONNECTIONS", "30")
    monkeypatch.setenv("BREAKWATER_UTILIZATION", "0.8")
    monkeypatch.setenv("BREAKWATER_FUNCTION_TIMEOUT", "30")
    database = breakwater.database()
    assert manager.fetched == 0
    for _ in range(2):
        with database.connection(Context(30)) as connection:
            assert rows(connection, "SELECT 1")[0][0] == 1
    assert manager.fetched == 1
    database.close()


def test_the_secret_names_the_host(server: SqlServer, manager: SecretsManager) -> None:
    manager.value = secret(server)
    # where the secret names the host, TLS is verified by default: nobody knows that it will be loopback
    database = breakwater.database(engine=server.engine, secret_arn=ARN)
    assert database._settings.tls_ca == "system"
    database._settings.tls_ca = None
    with database.connection() as connection:
        assert rows(connection, "SELECT 1")[0][0] == 1
    database.close()


def test_a_rotated_secret_is_fetched_again(server: SqlServer, manager: SecretsManager) -> None:
    manager.value = secret(server)
    database = breakwater.database(engine=server.engine, host=server.host, port=server.port, secret_arn=ARN)
    rotated, before = secrets.token_urlsafe(12), server.password
    try:
        with database.connection() as connection:
            rows(connection, "SELECT 1")
        set_password(server, rotated)
        manager.value = secret(server) | {"password": rotated}
        database.close()
        with database.connection() as connection:
            assert rows(connection, "SELECT 1")[0][0] == 1
        assert manager.fetched == 2
    finally:
        set_password(server, before)
        database.close()


def test_a_wrong_secret_is_fetched_once_more_and_then_told(server: SqlServer, manager: SecretsManager) -> None:
    manager.value = secret(server) | {"password": "not it"}
    database = breakwater.database(engine=server.engine, host=server.host, port=server.port, secret_arn=ARN)
    with pytest.raises(Exception, match=r"(?i)(access denied|password authentication failed)"):
        database.connection(Context(30)).__enter__()
    assert manager.fetched == 2


@pytest.mark.parametrize("value", ["plain text", '["a list"]', '{"user": "x"}'])
def test_a_secret_in_another_format_is_named_but_not_shown(
    server: SqlServer, manager: SecretsManager, value: str
) -> None:
    manager.value = value
    database = breakwater.database(engine=server.engine, host=server.host, secret_arn=ARN)
    with pytest.raises(breakwater.ConfigurationError, match="format of RDS") as caught:
        database.connection(Context(30)).__enter__()
    assert ARN in str(caught.value)
    assert value not in str(caught.value)


def test_an_iam_token_is_made_for_each_connect(
    manager: SecretsManager, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = breakwater.database(
        engine="postgresql", host="db.example.net", user="clerk", auth="iam", tls_ca=str(certificates.ca)
    )
    passwords = [database._credentials.login().password for _ in range(2)]
    for token in passwords:
        assert token.startswith("db.example.net:5432/?Action=connect&DBUser=clerk")
        assert "X-Amz-Signature=" in token
    assert manager.fetched == 0


@pytest.mark.parametrize(("user", "action"), [("clerk", "DbConnect"), ("admin", "DbConnectAdmin")])
def test_a_token_for_aurora_dsql(manager: SecretsManager, user: str, action: str) -> None:
    host = "abc.dsql.eu-central-1.on.aws"
    database = breakwater.database(engine="postgresql", host=host, user=user, auth="iam", proxy="1")
    token = database._credentials.login().password
    assert token.startswith(f"{host}/?Action={action}&")
    assert "eu-central-1%2Fdsql%2Faws4_request" in token
    assert manager.fetched == 0


def test_iam_without_tls_is_refused() -> None:
    with pytest.raises(breakwater.ConfigurationError, match="IAM database authentication needs TLS"):
        breakwater.database(engine="postgresql", host="127.0.0.1", user="clerk", auth="iam")
