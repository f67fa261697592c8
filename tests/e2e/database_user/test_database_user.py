"""Deployed by the real CLI onto an emulated account: what the real servers say about a user, from first to last."""

from __future__ import annotations

import json
import re
import ssl
import subprocess
import sys
import time
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

import psycopg
import pymysql
import pytest
from demo.emulator import REPOSITORY, Emulator
from demo.processes import CommandError
from servers import Certificates, MariaDbServer, PostgreSqlServer
from servers.administrator import NAME, create_administrator

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    SqlServer = MariaDbServer | PostgreSqlServer

# Connections that the server lets the user hold: its share, and what the budget leaves over, of 20.
# MariaDB: 15 usable, 12 shared, 11 of them the function's, 3 left over. PostgreSQL: 8, 6, 5, 2.
LIMITS = {"mariadb": 14, "postgresql": 7}
STAGES: dict[str, dict[str, Any]] = {
    "created": {},
    "more granted": {"grants": ["SELECT, INSERT ON shop.*"]},
    "refused": {"grants": ["SELECT ON shop.*", "BAKE ON shop.products"]},
    "miscounted": {"max_connections": 25},
    "renamed": {"grants": ["SELECT, INSERT ON shop.*"], "user": "sales"},
}
DENIED = re.compile("(?i)denied")


class Account(Emulator):
    """An emulated account in which each server has a stack, deployed at one stage of its life after the other."""

    stage = "created"

    @property
    def _assembly(self) -> Path:
        return self.folder / self.stage

    def enlist(self, server: SqlServer) -> dict[str, Any]:
        """Return what the stack of a server is made of; the administrator's password is in a secret alone."""
        assert server.certificate is not None
        login = {"username": NAME, "password": create_administrator(server)}
        secret = self.client("secretsmanager").create_secret(Name=server.engine, SecretString=json.dumps(login))
        return {
            "stack": server.engine,
            "engine": server.engine,
            "host": server.host,
            "port": server.port,
            "max_connections": server.max_connections,
            "secret_arn": secret["ARN"],
            "database": "shop",
            "certificate_authority": str(server.certificate.ca),
            "user": "orders",
            "grants": ["SELECT ON shop.*"],
        }

    def make_stages(self, servers: Iterable[SqlServer]) -> None:
        made = [self.enlist(server) for server in servers]
        stages = {str(self.folder / stage): [stack | changed for stack in made] for stage, changed in STAGES.items()}
        command = [sys.executable, "-m", "tests.e2e.database_user.user_app"]
        subprocess.run(command, input=json.dumps(stages), cwd=REPOSITORY, env=self._environment, text=True, check=True)

    def put(self, server: SqlServer, stage: str) -> dict[str, str]:
        """Deploy one stage, and return the stack's outputs."""
        self.stage = stage
        return self.deploy(server.engine)

    def run(self, outputs: dict[str, str], statement: str) -> Any:
        """Let the function run a statement, and return what came of it."""
        payload = json.dumps({"statement": statement})
        response = self.client("lambda").invoke(FunctionName=outputs["Function"], Payload=payload)
        return json.load(response["Payload"])

    def login(self, outputs: dict[str, str]) -> dict[str, Any]:
        secret = self.client("secretsmanager").get_secret_value(SecretId=outputs["SecretArn"])
        return json.loads(secret["SecretString"])

    def destroy(self, stack: str) -> None:
        cloudformation = self.client("cloudformation")
        (described,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
        cloudformation.delete_stack(StackName=stack)
        deadline = time.monotonic() + 60
        while self.status(described["StackId"]) != "DELETE_COMPLETE":
            assert time.monotonic() < deadline, self.status(described["StackId"])
            time.sleep(0.2)

    def status(self, stack: str) -> str:
        return self.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]


def connect(server: SqlServer, login: dict[str, Any]) -> Any:
    assert server.certificate is not None
    authority = str(server.certificate.ca)
    if isinstance(server, PostgreSqlServer):
        return psycopg.connect(
            host=login["host"],
            port=login["port"],
            user=login["username"],
            password=login["password"],
            dbname=login["dbname"],
            sslmode="verify-full",
            sslrootcert=authority,
        )
    return pymysql.connect(
        host=login["host"],
        port=int(login["port"]),
        user=login["username"],
        password=login["password"],
        database=login["dbname"],
        ssl=ssl.create_default_context(cafile=authority),
    )


def execute(server: SqlServer, *statements: str) -> list[Any]:
    """Run statements as the server's own administrator, in the shop's database."""
    with ExitStack() as stack:
        if isinstance(server, PostgreSqlServer):
            connection = psycopg.connect(
                host=str(server.folder), port=server.port, user="postgres", dbname="shop", autocommit=True
            )
        else:
            connection = server.admin()
        cursor: Any = stack.enter_context(closing(connection)).cursor()
        for statement in statements:
            cursor.execute(statement)
        return list(cursor.fetchall()) if cursor.description else []


def users(server: SqlServer) -> set[str]:
    query = "SELECT rolname FROM pg_roles" if isinstance(server, PostgreSqlServer) else "SELECT User FROM mysql.user"
    return {name for (name,) in execute(server, query)}


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, SqlServer]]:
    certificate = Certificates().right
    with (
        MariaDbServer(20, certificate, require_tls=True) as mariadb,
        PostgreSqlServer(20, certificate, require_tls=True) as postgresql,
    ):
        yield {server.engine: server for server in (mariadb, postgresql)}


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory, servers: dict[str, SqlServer]) -> Iterator[Account]:
    with Account(tmp_path_factory.mktemp("account")) as account:
        account.bootstrap()
        account.make_stages(servers.values())
        for server in servers.values():
            if isinstance(server, PostgreSqlServer):
                execute(server, f"GRANT CREATE ON DATABASE shop TO {NAME}", f"CREATE SCHEMA shop AUTHORIZATION {NAME}")
            execute(server, "CREATE TABLE shop.products (id INT)", "INSERT INTO shop.products VALUES (1)")
            if isinstance(server, PostgreSqlServer):
                execute(server, f"ALTER TABLE shop.products OWNER TO {NAME}")
        yield account


@pytest.mark.parametrize("engine", LIMITS)
def test_the_server_holds_the_line_for_as_long_as_the_stack_lives(
    account: Account, servers: dict[str, SqlServer], engine: str
) -> None:
    server = servers[engine]
    outputs = account.put(server, "created")
    login = account.login(outputs)
    assert DENIED.search(account.run(outputs, "INSERT INTO shop.products VALUES (2)")["errorMessage"])
    assert account.run(outputs, "SELECT id FROM shop.products") == [[1]]
    # the function's environment holds one
    with ExitStack() as held:
        for _ in range(LIMITS[engine] - 1):
            held.enter_context(closing(connect(server, login)))
        with pytest.raises((psycopg.OperationalError, pymysql.err.OperationalError), match=r"(?i)connections"):
            connect(server, login)
    account.destroy(engine)
    assert "orders" not in users(server)


def test_changes_come_whole_or_not_at_all(account: Account, servers: dict[str, SqlServer]) -> None:
    server = servers["postgresql"]
    login = account.login(account.put(server, "created"))

    outputs = account.put(server, "more granted")
    assert account.login(outputs) == login
    assert account.run(outputs, "INSERT INTO shop.products VALUES (2)") is None

    for stage, message in {
        "refused": 'unrecognized privilege type "bake"',
        "miscounted": r"max_connections = 20, and the shares were computed from 25 \(max_connections given\)",
    }.items():
        with pytest.raises(CommandError, match=message):
            account.put(server, stage)
        assert account.status(server.engine) == "UPDATE_ROLLBACK_COMPLETE"
        with closing(connect(server, login)) as connection:
            connection.execute("INSERT INTO shop.products VALUES (3)")

    outputs = account.put(server, "renamed")
    assert users(server) & {"orders", "sales"} == {"sales"}
    assert account.run(outputs, "SELECT id FROM shop.products") == [[1], [2]]
