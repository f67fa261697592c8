"""Users made, changed and dropped on real servers, by an administrator with as few rights as RDS gives one."""

from __future__ import annotations

import json
import logging
import secrets
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
import pymysql
import pytest
from servers import MariaDbServer, PostgreSqlServer
from servers.administrator import NAME, create_administrator
from servers.sql import SqlServer, execute, rows

import breakwater_runtime as breakwater
from breakwater_runtime import _aws
from handlers.database_administration.account import Login
from handlers.database_administration.administration import handler
from handlers.database_administration.mysql_account import MySqlAccount
from handlers.database_administration.user import UserRefused
from tests.runtime.aws_endpoint import AwsEndpoint
from tests.runtime.lambda_context import Context

if TYPE_CHECKING:
    from collections.abc import Iterator

DENIED = (psycopg.errors.InsufficientPrivilege, pymysql.err.OperationalError, pymysql.err.ProgrammingError)
REFUSED = (psycopg.OperationalError, pymysql.err.OperationalError)
MASTER, SECRET = "arn:master", "arn:orders"
READ = [{"Privileges": ["SELECT"], "On": "TABLE", "Name": ["shop_db", "*"]}]
WRITE = [{"Privileges": ["SELECT", "INSERT"], "On": "TABLE", "Name": ["shop_db", "*"]}]


class Deployments:
    """Sends the events that CloudFormation sends."""

    def __init__(self, server: SqlServer) -> None:
        self.server = server
        self.secrets: dict[str, dict[str, Any]] = {}
        self.database = "store" if isinstance(server, PostgreSqlServer) else "shop_db"

    def answer(self, operation: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        assert operation == "GetSecretValue"
        return 200, {"ARN": request["SecretId"], "SecretString": json.dumps(self.secrets[request["SecretId"]])}

    def properties(self, **changed: Any) -> dict[str, Any]:
        given = {
            "User": "orders",
            "ConnectionLimit": "3",
            "Grants": READ,
            "SecretArn": SECRET,
            "Database": self.database,
        }
        return {name: value for name, value in {**given, **changed}.items() if value is not None}

    def send(self, request: str, before: dict[str, Any] | None = None, **changed: Any) -> dict[str, Any]:
        physical_id = changed.pop("PhysicalResourceId", None)
        event = {
            "RequestType": request,
            "ResourceType": "Custom::DatabaseUser",
            "ResourceProperties": self.properties(**changed),
            "PhysicalResourceId": physical_id
            or f"{changed.get('User', 'orders')}@{self.server.host}:{self.server.port}",
        }
        if request == "Update":
            event["OldResourceProperties"] = self.properties(**(before or {}))
        return handler(event, Context(20))

    def connect(self, user: str = "orders", **changed: Any) -> Any:
        """Connect as the user; the caller closes the connection."""
        server, password = self.server, changed.get("password") or self.secrets[SECRET]["password"]
        if isinstance(server, PostgreSqlServer):
            return psycopg.connect(
                host=server.host, port=server.port, user=user, password=password, dbname=self.database, autocommit=True
            )
        return pymysql.connect(
            host=server.host,
            port=server.port,
            user=user,
            password=password,
            database=self.database,
            ssl_disabled=True,
            autocommit=True,
        )

    @contextmanager
    def administrator(self) -> Iterator[Any]:
        connection = self.connect("administrator", password=self.secrets[MASTER]["password"])
        try:
            yield connection
        finally:
            connection.close()

    def run(self, *statements: str) -> None:
        with self.administrator() as connection:
            execute(connection, *statements)

    def users(self) -> set[str]:
        table = "pg_roles WHERE rolcanlogin" if isinstance(self.server, PostgreSqlServer) else "mysql.user WHERE 1"
        column = "rolname" if isinstance(self.server, PostgreSqlServer) else "User"
        with self.administrator() as connection:
            return {name for (name,) in rows(connection, f"SELECT {column} FROM {table}")}  # noqa: S608


@pytest.fixture
def deployments(server: SqlServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployments]:
    deployments = Deployments(server)
    password = create_administrator(server)
    with server.admin() as admin:
        if isinstance(server, PostgreSqlServer):
            execute(admin, f"CREATE DATABASE store OWNER {NAME}")
        else:
            execute(admin, "CREATE DATABASE shop_db", "CREATE DATABASE shopXdb")
    deployments.secrets = {
        MASTER: {"username": "administrator", "password": password},
        SECRET: {"username": "orders", "password": secrets.token_urlsafe(24)},
    }
    if isinstance(server, PostgreSqlServer):
        deployments.run("CREATE SCHEMA shop_db")
    deployments.run("CREATE TABLE shop_db.products (id INT)", "INSERT INTO shop_db.products VALUES (1)")
    _aws.client.cache_clear()
    with AwsEndpoint(deployments.answer) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", endpoint.url)
        for name, value in {
            "AWS_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "BREAKWATER_ENGINE": server.engine,
            "BREAKWATER_HOST": server.host,
            "BREAKWATER_PORT": str(server.port),
            "BREAKWATER_SECRET_ARN": MASTER,
            "BREAKWATER_MAX_CONNECTIONS": str(server.max_connections),
        }.items():
            monkeypatch.setenv(name, value)
        yield deployments
    _aws.client.cache_clear()
    with server.admin() as admin:
        if isinstance(server, PostgreSqlServer):
            execute(admin, "DROP DATABASE IF EXISTS store WITH (FORCE)", "DROP DATABASE IF EXISTS attic WITH (FORCE)")
            for user in ("orders", "sales", "administrator", "rds_iam"):
                execute(admin, f"DROP ROLE IF EXISTS {user}")
        else:
            execute(admin, "DROP DATABASE shop_db", "DROP DATABASE shopXdb")
            execute(admin, *(f"DROP USER IF EXISTS {user}@'%'" for user in ("orders", "sales", "administrator")))


def test_a_user_with_what_it_was_granted_and_no_more(deployments: Deployments) -> None:
    answer = deployments.send("Create")
    assert answer == {"PhysicalResourceId": f"orders@{deployments.server.host}:{deployments.server.port}"}
    orders = deployments.connect()
    assert rows(orders, "SELECT id FROM shop_db.products") == [(1,)]
    with pytest.raises(DENIED):
        execute(orders, "INSERT INTO shop_db.products VALUES (2)")
    deployments.run("CREATE TABLE shop_db.later (id INT)")
    assert rows(orders, "SELECT * FROM shop_db.later") == []
    orders.close()


def test_requests_may_be_repeated(deployments: Deployments) -> None:
    for request in ("Create", "Create", "Update", "Update"):
        deployments.send(request)
    deployments.connect().close()
    for _ in range(2):
        deployments.send("Delete")
    assert "orders" not in deployments.users()


def test_the_server_holds_the_line(deployments: Deployments) -> None:
    deployments.send("Create")
    held = [deployments.connect() for _ in range(3)]
    with pytest.raises(REFUSED, match=r"(?i)max_user_connections|too many connections for role"):
        deployments.connect()
    deployments.send("Update", ConnectionLimit="4")
    held.append(deployments.connect())
    for connection in held:
        connection.close()


def test_changed_grants_and_nothing_else(deployments: Deployments) -> None:
    deployments.send("Create")
    deployments.send("Update", Grants=WRITE)
    orders = deployments.connect()
    execute(orders, "INSERT INTO shop_db.products VALUES (2)")
    orders.close()
    deployments.send("Update", {"Grants": WRITE}, Grants=READ)
    orders = deployments.connect()
    with pytest.raises(DENIED):
        execute(orders, "INSERT INTO shop_db.products VALUES (3)")
    assert len(rows(orders, "SELECT id FROM shop_db.products")) == 2
    orders.close()


def test_what_remains_of_all_remains(deployments: Deployments) -> None:
    every = [{"Privileges": ["ALL"], "On": "TABLE", "Name": ["shop_db", "*"]}]
    deployments.send("Create", Grants=every)
    deployments.send("Update", {"Grants": every})
    orders = deployments.connect()
    assert len(rows(orders, "SELECT id FROM shop_db.products")) == 1
    with pytest.raises(DENIED):
        execute(orders, "DELETE FROM shop_db.products")
    orders.close()


def test_a_failed_creation_leaves_nothing_behind(deployments: Deployments) -> None:
    nonsense = [{"Privileges": ["BAKE"], "On": "TABLE", "Name": ["shop_db", "products"]}]
    with pytest.raises(Exception, match=r"(?i)syntax|unrecognized"):
        deployments.send("Create", Grants=[*READ, *nonsense])
    assert "orders" not in deployments.users()


def test_a_failed_update_is_rolled_back_by_the_next_one(deployments: Deployments) -> None:
    deployments.send("Create")
    nonsense = [
        *WRITE,
        {"Privileges": ["SELECT"], "On": "TABLE", "Name": ["shop_db", "no_such_table"]},
        {"Privileges": ["EXECUTE"], "On": "PROCEDURE", "Name": ["shop_db", "no_such_procedure"]},
        {"Privileges": ["EXECUTE"], "On": "TABLE", "Name": ["shop_db", "products"]},
        {"Privileges": ["BAKE"], "On": "TABLE", "Name": ["shop_db", "products"]},
        {"Privileges": ["SELECT"], "On": "TABLE", "Name": ["no_such_schema", "*"]},
        {"Privileges": ["SELECT"], "On": "TABLE", "Name": ["no_such_schema", "products"]},
    ]
    with pytest.raises((*DENIED, psycopg.Error)):
        deployments.send("Update", Grants=nonsense)
    # what CloudFormation sends then
    deployments.send("Update", {"Grants": nonsense}, Grants=READ)
    orders = deployments.connect()
    with pytest.raises(DENIED):
        execute(orders, "INSERT INTO shop_db.products VALUES (2)")
    orders.close()


@pytest.mark.parametrize("text", ["SELECT ON x TO y; DROP", "SELECT;", "select", "SELECT`", ""])
def test_privileges_are_words(deployments: Deployments, text: str) -> None:
    with pytest.raises(ValueError, match="is no privilege"):
        deployments.send("Create", Grants=[{"Privileges": [text], "On": "TABLE", "Name": ["shop_db", "*"]}])
    assert "orders" not in deployments.users()


def test_names_are_quoted(deployments: Deployments) -> None:
    quote = '"' if isinstance(deployments.server, PostgreSqlServer) else "`"
    name = f"a{quote}; DROP TABLE shop_db.products; -- %s \\"
    deployments.run(f"CREATE TABLE shop_db.{quote}{name.replace(quote, quote * 2)}{quote} (id INT)")
    deployments.send("Create", Grants=[{"Privileges": ["SELECT"], "On": "TABLE", "Name": ["shop_db", name]}])
    with deployments.administrator() as connection:
        assert rows(connection, "SELECT id FROM shop_db.products") == [(1,)]


def test_somebody_elses_user_is_left_alone(deployments: Deployments) -> None:
    deployments.send("Create")
    theirs = deployments.secrets[SECRET]
    deployments.secrets["arn:other"] = {"password": secrets.token_urlsafe(24)}
    with pytest.raises(UserRefused, match="'orders' exists on the database, with a login that is not this one's"):
        deployments.send("Create", SecretArn="arn:other")
    deployments.connect(password=theirs["password"]).close()


def test_the_administrator_is_left_alone(deployments: Deployments) -> None:
    for request in ("Create", "Update"):
        with pytest.raises(UserRefused, match="'administrator' is the database's administrator"):
            deployments.send(request, User="administrator")
    deployments.send("Delete", User="administrator")
    assert "administrator" in deployments.users()


def test_a_user_of_a_replaced_database_is_not_looked_for_in_the_new_one(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployments.send("Create")
    event = {
        "RequestType": "Delete",
        "ResourceType": "Custom::DatabaseUser",
        "ResourceProperties": deployments.properties(),
        "PhysicalResourceId": "orders@elsewhere:5432",
    }
    assert handler(event, Context(20)) == {"PhysicalResourceId": "orders@elsewhere:5432"}
    assert "orders" in deployments.users()


def test_a_database_that_is_gone_keeps_no_stack_from_being_deleted(
    deployments: Deployments, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    deployments.send("Create")
    deployments.secrets[MASTER]["password"] = "changed by hand"
    with caplog.at_level(logging.WARNING):
        deployments.send("Delete")
    assert "The user orders is not dropped" in caplog.text


def test_the_password_is_nowhere(deployments: Deployments, caplog: pytest.LogCaptureFixture) -> None:
    server, password = deployments.server, deployments.secrets[SECRET]["password"]
    everything = "ALTER SYSTEM SET log_statement = 'all'"
    with server.admin() as admin:
        if isinstance(server, PostgreSqlServer):
            execute(admin, everything, "SELECT pg_reload_conf()")
        else:
            execute(admin, f"SET GLOBAL general_log_file = '{server.folder / 'general'}'", "SET GLOBAL general_log = 1")
    try:
        with caplog.at_level(logging.INFO):
            answers = [deployments.send("Create"), deployments.send("Update", Grants=WRITE)]
    finally:
        with server.admin() as admin:
            if isinstance(server, PostgreSqlServer):
                execute(admin, "ALTER SYSTEM RESET log_statement", "SELECT pg_reload_conf()")
            else:
                execute(admin, "SET GLOBAL general_log = 0")
    log = server.folder / ("log" if isinstance(server, PostgreSqlServer) else "general")
    logged = log.read_text(errors="replace")
    assert "MAX_USER_CONNECTIONS 3" in logged or "CONNECTION LIMIT 3" in logged
    assert password not in logged
    assert password not in json.dumps(answers)
    assert password not in caplog.text


def test_the_password_is_in_no_error(deployments: Deployments, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Any, login: Login, *_: object) -> None:
        raise pymysql.err.ProgrammingError(1064, f"near IDENTIFIED BY '{login.password}'")

    for module in ("mysql_account.MySqlAccount", "postgresql_account.PostgreSqlAccount"):
        monkeypatch.setattr(f"handlers.database_administration.{module}.set", refuse)
    with pytest.raises(RuntimeError, match="near IDENTIFIED BY '…'") as caught:
        deployments.send("Create")
    assert caught.value.__suppress_context__


def test_a_rotated_password_stays(deployments: Deployments) -> None:
    deployments.send("Create")
    orders = deployments.connect()
    rotated = secrets.token_urlsafe(24)
    own = "CURRENT_USER" if isinstance(deployments.server, PostgreSqlServer) else "CURRENT_USER()"
    verb = (
        "ALTER ROLE {} PASSWORD '{}'"
        if isinstance(deployments.server, PostgreSqlServer)
        else "SET PASSWORD FOR {} = PASSWORD('{}')"
    )
    execute(orders, verb.format(own, rotated))
    orders.close()
    deployments.secrets[SECRET]["password"] = rotated
    deployments.send("Update", Grants=WRITE)
    deployments.connect().close()


def test_another_server_s_user_is_left_alone(deployments: Deployments) -> None:
    """An Update whose server is another one meets what stands there, in a restored snapshot for example."""
    deployments.send("Create")
    theirs = deployments.secrets[SECRET]["password"]
    deployments.secrets["arn:other"] = {"password": secrets.token_urlsafe(24)}
    with pytest.raises(UserRefused):
        deployments.send("Update", PhysicalResourceId="orders@elsewhere:1", SecretArn="arn:other")
    deployments.connect(password=theirs).close()
    # what CloudFormation sends where a creation failed and is undone
    deployments.send("Delete", PhysicalResourceId="not-made")
    assert "orders" in deployments.users()


def test_a_password_that_is_being_rotated_is_left_alone(deployments: Deployments) -> None:
    """The server has the new one already, and the secret the old one still."""
    deployments.send("Create")
    rotated = secrets.token_urlsafe(24)
    postgresql = isinstance(deployments.server, PostgreSqlServer)
    deployments.run(
        f"ALTER ROLE orders PASSWORD '{rotated}'" if postgresql else f"ALTER USER orders@'%' IDENTIFIED BY '{rotated}'"
    )
    deployments.send("Update", Grants=WRITE, ConnectionLimit="4")
    deployments.connect(password=rotated).close()


def test_another_secret_is_another_password(deployments: Deployments) -> None:
    deployments.send("Create")
    deployments.secrets["arn:other"] = {"password": secrets.token_urlsafe(24)}
    deployments.send("Update", SecretArn="arn:other")
    deployments.connect(password=deployments.secrets["arn:other"]["password"]).close()


def test_a_creation_is_repeated_while_the_user_is_at_its_limit(deployments: Deployments) -> None:
    deployments.send("Create")
    held = [deployments.connect() for _ in range(3)]
    deployments.send("Create")
    for connection in held:
        connection.close()


def test_nothing_of_the_user_goes_on_after_its_deletion(deployments: Deployments) -> None:
    if isinstance(deployments.server, MariaDbServer):
        with deployments.server.admin() as admin:
            # as on RDS, whose administrator may not KILL
            execute(
                admin,
                "CREATE OR REPLACE PROCEDURE mysql.rds_kill(IN thread BIGINT) KILL CONNECTION thread",
                f"GRANT EXECUTE ON PROCEDURE mysql.rds_kill TO {NAME}@'%'",
            )
    deployments.send("Create", Grants=WRITE)
    orders = deployments.connect()
    execute(orders, "BEGIN", "INSERT INTO shop_db.products VALUES (2)")
    deployments.send("Delete", Grants=WRITE)
    assert "orders" not in deployments.users()
    with pytest.raises((psycopg.OperationalError, pymysql.err.OperationalError)):
        rows(orders, "SELECT id FROM shop_db.products")
    with deployments.administrator() as connection:
        assert rows(connection, "SELECT id FROM shop_db.products") == [(1,)]


def test_a_full_server_is_not_a_server_that_is_gone(deployments: Deployments) -> None:
    deployments.send("Create")
    event = {
        "RequestType": "Delete",
        "ResourceType": "Custom::DatabaseUser",
        "ResourceProperties": deployments.properties(),
        "PhysicalResourceId": f"orders@{deployments.server.host}:{deployments.server.port}",
    }
    held: list[Any] = []
    try:
        with pytest.raises(REFUSED):  # noqa: PT012 -- one of them is refused
            while True:
                held.append(deployments.connect("administrator", password=deployments.secrets[MASTER]["password"]))
        with pytest.raises(breakwater.ConnectionUnavailable):
            handler(event, Context(3))
    finally:
        for connection in held:
            connection.close()
    handler(event, Context(20))
    assert "orders" not in deployments.users()


class TestMariaDb:
    @pytest.fixture
    def server(self, mariadb: MariaDbServer) -> MariaDbServer:
        return mariadb

    def test_a_grant_on_a_database_is_no_pattern(self, deployments: Deployments) -> None:
        deployments.run("CREATE TABLE shopXdb.products (id INT)")
        deployments.send("Create")
        orders = deployments.connect()
        with pytest.raises(DENIED):
            rows(orders, "SELECT id FROM shopXdb.products")
        orders.close()

    def test_tls_is_required_where_the_function_uses_it(
        self, deployments: Deployments, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        deployments.send("Create")
        monkeypatch.setenv("BREAKWATER_TLS_CA", "bundled")
        monkeypatch.setattr("breakwater_runtime.environment.Settings._text", without("tls_ca"))
        deployments.send("Update")
        with pytest.raises(REFUSED, match="Access denied"):
            deployments.connect()

    def test_the_statements_for_mysql_are_mariadbs_too(
        self, deployments: Deployments, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("BREAKWATER_ENGINE", "mysql")
        deployments.secrets[SECRET]["password"] += "%s'\\"
        for request in ("Create", "Create", "Update"):
            deployments.send(request, Grants=WRITE)
        deployments.connect().close()
        deployments.send("Delete")
        assert "orders" not in deployments.users()

    def test_the_syntax_of_iam_logins_is_the_servers(self, deployments: Deployments) -> None:
        # 1524, ER_PLUGIN_IS_NOT_LOADED: the plugin is RDS's own; a syntax error would be 1064.
        with pytest.raises(pymysql.err.OperationalError) as caught:
            deployments.send("Create", SecretArn=None)
        assert caught.value.args == (1524, "Plugin 'AWSAuthenticationPlugin' is not loaded")

    def test_a_creation_that_was_killed_is_repeated(self, deployments: Deployments) -> None:
        password = deployments.secrets[SECRET]["password"]
        deployments.run(f"CREATE USER orders@'%' IDENTIFIED BY '{password}' ACCOUNT LOCK")
        deployments.send("Create")
        deployments.connect().close()

    def test_the_hash_of_the_password_is_hidden_as_well(self) -> None:
        digest = "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19"  # of "password"; MariaDB documentation, "PASSWORD"
        text = f"near 'USING '{digest}' REQUIRE' password"
        assert MySqlAccount(None, "orders").hidden(text, "password") == "near 'USING '…' REQUIRE' …"

    def test_a_user_at_a_narrower_host_is_somebody_elses(self, deployments: Deployments) -> None:
        with deployments.server.admin() as admin:
            execute(admin, "CREATE USER orders@'127.0.0.1' IDENTIFIED BY 'theirs'")
        try:
            with pytest.raises(UserRefused):
                deployments.send("Create")
        finally:
            with deployments.server.admin() as admin:
                execute(admin, "DROP USER orders@'127.0.0.1'")


class TestPostgreSql:
    @pytest.fixture
    def server(self, postgresql: PostgreSqlServer) -> PostgreSqlServer:
        return postgresql

    def test_iam_and_back(self, deployments: Deployments) -> None:
        with deployments.server.admin() as admin:
            execute(admin, "CREATE ROLE rds_iam", "GRANT rds_iam TO administrator WITH ADMIN OPTION")
        iam: dict[str, Any] = {"SecretArn": None}
        deployments.send("Create", **iam)
        deployments.send("Create", **iam)
        with deployments.server.admin() as admin:
            assert rows(admin, "SELECT rolpassword FROM pg_authid WHERE rolname = 'orders'") == [(None,)]
            assert rows(admin, "SELECT pg_has_role('orders', 'rds_iam', 'member')") == [(True,)]
        deployments.send("Update", iam)
        with deployments.server.admin() as admin:
            assert rows(admin, "SELECT pg_has_role('orders', 'rds_iam', 'member')") == [(False,)]
        deployments.connect().close()

    def test_what_the_user_owns_becomes_the_administrators(self, deployments: Deployments) -> None:
        deployments.run("CREATE DATABASE attic")
        schema = {"Privileges": ["ALL"], "On": "SCHEMA", "Name": ["shop_db"]}
        databases = [{"Privileges": ["CREATE"], "On": "DATABASE", "Name": [name]} for name in ("attic", "store")]
        deployments.send("Create", Grants=[schema, *databases])
        orders = deployments.connect()
        execute(orders, "CREATE TABLE shop_db.owned (id INT)", "INSERT INTO shop_db.owned VALUES (7)")
        orders.close()
        server, password = deployments.server, deployments.secrets[SECRET]["password"]
        with psycopg.connect(
            host=server.host, port=server.port, user="orders", password=password, dbname="attic"
        ) as attic:
            execute(attic, "CREATE SCHEMA boxes", "CREATE TABLE boxes.box (id INT)")
        deployments.send("Delete")
        assert "orders" not in deployments.users()
        with deployments.administrator() as connection:
            assert rows(connection, "SELECT id FROM shop_db.owned") == [(7,)]

    def test_who_cannot_be_dropped_is_locked_out(
        self, deployments: Deployments, caplog: pytest.LogCaptureFixture
    ) -> None:
        deployments.send("Create")
        with deployments.server.admin() as admin:
            execute(admin, "CREATE DATABASE attic", "GRANT CONNECT ON DATABASE attic TO orders")
            execute(admin, "REVOKE CONNECT ON DATABASE attic FROM PUBLIC")
        with caplog.at_level(logging.WARNING):
            deployments.send("Delete")
        assert "The user orders is locked out, and not dropped" in caplog.text
        with pytest.raises(REFUSED, match="not permitted to log in"):
            deployments.connect()

    def test_inserts_into_serial_columns_now_and_later(self, deployments: Deployments) -> None:
        deployments.run("CREATE TABLE shop_db.now (id SERIAL, name TEXT)")
        deployments.send("Create", Grants=WRITE)
        deployments.run("CREATE TABLE shop_db.later (id SERIAL, name TEXT)")
        orders = deployments.connect()
        for table in ("now", "later"):
            execute(orders, f"INSERT INTO shop_db.{table} (name) VALUES ('rope')")  # noqa: S608
        orders.close()

    def test_the_administrator_can_still_log_in_after_a_user_with_iam(self, deployments: Deployments) -> None:
        """Who is a member of rds_iam, by whatever way, cannot log in with a password any more."""
        with deployments.server.admin() as admin:
            execute(admin, "CREATE ROLE rds_iam", "GRANT rds_iam TO administrator WITH ADMIN OPTION, INHERIT FALSE")
            execute(admin, "CREATE DATABASE attic", "GRANT CONNECT ON DATABASE attic TO PUBLIC")
        deployments.send("Create", SecretArn=None)
        with deployments.server.admin() as admin:
            execute(admin, "REVOKE CONNECT ON DATABASE attic FROM PUBLIC", "GRANT CONNECT ON DATABASE attic TO orders")
        deployments.send("Delete", SecretArn=None)  # it stays, with what only a superuser can take from it
        by_way_of_orders = (
            "SELECT count(*) FROM pg_auth_members JOIN pg_roles ON pg_roles.oid = roleid "
            "WHERE rolname = 'rds_iam' AND member = 'orders'::regrole"
        )
        with deployments.server.admin() as admin:
            assert rows(admin, by_way_of_orders) == [(0,)]
            assert rows(admin, "SELECT pg_has_role('administrator', 'orders', 'USAGE')") == [(False,)]

    def test_somebody_else_s_table_fails_no_deployment(
        self, deployments: Deployments, caplog: pytest.LogCaptureFixture
    ) -> None:
        with superuser(deployments.server) as admin:
            execute(admin, "CREATE TABLE shop_db.theirs (id INT)")
        with caplog.at_level(logging.WARNING):
            deployments.send("Create")
        assert "Not granted to orders, since they belong to somebody else: shop_db.theirs" in caplog.text
        orders = deployments.connect()
        assert rows(orders, "SELECT id FROM shop_db.products") == [(1,)]
        orders.close()
        with superuser(deployments.server) as admin:
            execute(admin, "DROP TABLE shop_db.theirs")

    def test_a_lock_of_somebody_else_s_is_not_waited_for(
        self, deployments: Deployments, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("handlers.database_administration.postgresql_account._LOCK_TIMEOUT", "300ms")
        schema = {"Privileges": ["ALL"], "On": "SCHEMA", "Name": ["shop_db"]}
        deployments.send("Create", Grants=[schema])
        orders = deployments.connect()
        execute(orders, "CREATE TABLE shop_db.owned (id INT)")
        orders.close()
        with superuser(deployments.server) as admin, caplog.at_level(logging.WARNING):
            execute(admin, "BEGIN", "LOCK TABLE shop_db.owned")
            deployments.send("Delete", Grants=[schema])
            execute(admin, "ROLLBACK")
        assert "locked out, and not dropped: canceling statement due to lock timeout" in caplog.text
        deployments.send("Delete", Grants=[schema])
        assert "orders" not in deployments.users()

    def test_two_stacks_at_once(self, deployments: Deployments) -> None:
        deployments.run("CREATE TABLE shop_db.second (id INT)")

        def deploy(number: int) -> None:
            for limit in range(3, 9):
                user = f"{'orders' if number else 'sales'}"
                deployments.send("Create" if limit == 3 else "Update", User=user, ConnectionLimit=str(limit))

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(deploy, range(2)))
        assert {"orders", "sales"} <= deployments.users()
        deployments.send("Delete", User="sales")

    def test_membership_of_a_role(self, deployments: Deployments) -> None:
        deployments.run("CREATE ROLE sales", "GRANT USAGE ON SCHEMA shop_db TO sales")
        deployments.run("GRANT SELECT ON shop_db.products TO sales")
        deployments.send("Create", Grants=[{"Privileges": ["sales"], "On": "ROLE", "Name": ["sales"]}])
        orders = deployments.connect()
        assert rows(orders, "SELECT id FROM shop_db.products") == [(1,)]
        orders.close()
        deployments.send("Update", {"Grants": [{"Privileges": ["sales"], "On": "ROLE", "Name": ["sales"]}]}, Grants=[])
        orders = deployments.connect()
        with pytest.raises(DENIED):
            rows(orders, "SELECT id FROM shop_db.products")
        orders.close()


def superuser(server: SqlServer) -> psycopg.Connection[tuple[Any, ...]]:
    """Connect to the database of the tables, not to the administrators' own."""
    return psycopg.connect(host=str(server.folder), port=server.port, user="postgres", dbname="store", autocommit=True)


def without(setting: str) -> Any:
    from breakwater_runtime.environment import Settings

    read = Settings._text

    def text(self: Settings, name: str) -> str | None:
        return None if name == setting else read(self, name)

    return text


def verify(deployments: Deployments, expected: int, request: str = "Create") -> dict[str, Any]:
    properties = {"MaxConnections": str(expected), "Basis": "max_connections given", "Database": deployments.database}
    event = {"RequestType": request, "ResourceType": "Custom::MaxConnections", "ResourceProperties": properties}
    return handler(event, Context(20))


def test_max_connections_are_what_the_budget_thinks(deployments: Deployments) -> None:
    server = deployments.server
    answer = {"PhysicalResourceId": f"max-connections@{server.host}:{server.port}"}
    assert verify(deployments, server.max_connections) == answer
    assert verify(deployments, server.max_connections - 1) == answer
    assert verify(deployments, server.max_connections + 1, "Delete") == answer


def test_a_smaller_server_fails_the_deployment(deployments: Deployments) -> None:
    server = deployments.server
    with pytest.raises(RuntimeError) as caught:
        verify(deployments, server.max_connections + 1)
    assert str(caught.value) == (
        f"The database at {server.host}:{server.port} has max_connections = {server.max_connections}, and the shares "
        f"were computed from {server.max_connections + 1} (max_connections given). Pass "
        f"ConnectionBudget.of(database, max_connections={server.max_connections}). Where the parameter was raised: "
        "deploy it so, reboot the database, and leave the number out in a second deployment."
    )


def test_the_runtime_takes_the_login(deployments: Deployments) -> None:
    deployments.send("Create")
    database = breakwater.database(secret_arn=SECRET, database=deployments.database)
    with database.connection(Context(20)) as connection:
        assert rows(connection, "SELECT id FROM shop_db.products") == [(1,)]
    database.close()
