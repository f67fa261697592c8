"""Secrets and IAM tokens; Secrets Manager is botocore's own client against a local endpoint."""

from __future__ import annotations

import json
import logging
import re
import secrets
import socket
import time
import traceback
from base64 import b64encode
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest
from servers import Certificates, MariaDbServer, Network, RedisServer, Server
from servers.sql import SqlServer, execute, rows

import breakwater_runtime as breakwater
from breakwater_runtime import _aws, _iam_token, _secret, credentials, retry
from breakwater_runtime._redis.pool import Pool
from breakwater_runtime._secret import parse
from breakwater_runtime.deadline import Deadline
from breakwater_runtime.environment import Settings
from tests.runtime.aws_endpoint import AwsEndpoint
from tests.runtime.lambda_context import Context
from tests.runtime.waiting import Stopwatch

if TYPE_CHECKING:
    from collections.abc import Iterator

ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop"


class SecretsManager:
    """What the endpoint hands out."""

    def __init__(self) -> None:
        self.value: str | bytes | dict[str, Any] = {}
        self.fetched = 0
        self.failures = 0
        self.later: tuple[int, dict[str, Any]] | None = None
        """After so many answers, another value."""

    def answer(self, operation: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        assert (operation, request["SecretId"]) == ("GetSecretValue", ARN)
        if self.later is not None and self.fetched >= self.later[0]:
            self.value = self.later[1]
        self.fetched += 1
        if self.failures:
            self.failures -= 1
            return 500, {"__type": "InternalServiceError", "message": "An error occurred on the server side."}
        if isinstance(self.value, bytes):
            return 200, {"ARN": ARN, "Name": "shop", "SecretBinary": b64encode(self.value).decode()}
        text = self.value if isinstance(self.value, str) else json.dumps(self.value)
        return 200, {"ARN": ARN, "Name": "shop", "SecretString": text}


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[SecretsManager]:
    manager = SecretsManager()
    _aws.client.cache_clear()
    with AwsEndpoint(manager.answer) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", endpoint.url)
        monkeypatch.setenv("AWS_REGION", "eu-central-1")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        _secret.manager()  # as in the init phase
        yield manager
    _aws.client.cache_clear()


def test_a_client_is_made_in_the_init_phase(manager: SecretsManager, monkeypatch: pytest.MonkeyPatch) -> None:
    """It costs 0.2 s of a whole processor, which a small function has there alone."""
    _aws.client.cache_clear()
    login = {"engine": "postgresql", "host": "db.example.net", "user": "app"}
    breakwater.database(**login, secret_arn=ARN, database="elsewhere")
    assert _aws.client.cache_info().misses == 0
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "shop")
    breakwater.database(**login, secret_arn=ARN)
    assert _aws.client.cache_info().misses == 1
    breakwater.database(**login, auth="iam")
    assert _aws.client.cache_info().misses == 2
    # what is wrong is told by the first invocation
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    _aws.client.cache_clear()
    database = breakwater.database(**login, secret_arn=ARN, database="shop")
    with pytest.raises(Exception, match="region"), database.connection(Context(5)):
        pass
    assert manager.fetched == 0


def secret(server: Server) -> dict[str, Any]:
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
    assert database._keeper.settings.tls_ca == "system"
    database._keeper.settings.tls_ca = None
    with database.connection() as connection:
        assert rows(connection, "SELECT 1")[0][0] == 1
    database.close()


@pytest.mark.parametrize("wrong", [{"username": None}, {"dbname": "elsewhere"}, {"port": 1}])
def test_a_secret_that_is_put_right_needs_no_new_environment(
    server: SqlServer, manager: SecretsManager, wrong: dict[str, Any]
) -> None:
    manager.value = secret(server) | wrong
    database = breakwater.database(engine=server.engine, host=server.host, secret_arn=ARN)
    with pytest.raises(Exception, match=r"username|elsewhere|no connection"), database.connection(Context(2)):
        pass
    manager.value = secret(server)
    with database.connection() as connection:
        assert rows(connection, "SELECT 1")[0][0] == 1
    database.close()


def test_what_took_the_time_is_told_where_none_is_left_to_ask_for_the_secret(
    server: SqlServer, manager: SecretsManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager.value = secret(server) | {"port": 1}
    database = breakwater.database(engine=server.engine, host=server.host, secret_arn=ARN)
    login = credentials.Credentials.login
    asked: list[Deadline] = []

    def slow(own: credentials.Credentials, deadline: Deadline) -> credentials.Login:
        if asked:
            time.sleep(max(0.0, deadline.remaining()))
            own._secret = None
        asked.append(deadline)
        return login(own, deadline)

    monkeypatch.setattr(credentials.Credentials, "login", slow)
    with (
        pytest.raises(breakwater.ConnectionUnavailable, match=r":1: no connection after 1 attempt .*refused"),
        database.connection(Context(2)),
    ):
        pass
    database.close()


def test_making_the_client_ends_in_time(manager: SecretsManager, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes 0.2 s of a processor, and the smallest functions have a fourteenth of one."""
    monkeypatch.setattr(_secret, "manager", lambda: time.sleep(3))
    database = breakwater.database(engine="postgresql", host="db.example.net", secret_arn=ARN)
    watch = Stopwatch()
    late = pytest.raises(breakwater.ConnectionUnavailable, match=r"botocore's client of Secrets Manager: no answer")
    with late, database.connection(Context(1)):
        pass
    assert watch.seconds < 2.5
    assert not manager.fetched


def test_a_server_that_moved_is_found_by_its_secret(
    server: SqlServer, manager: SecretsManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "_ASK_WHERE_SECONDS", 0.0)
    manager.value, manager.later = secret(server) | {"port": 1}, (1, secret(server))
    # all but the port, which the secret alone knows
    database = breakwater.database(engine=server.engine, host=server.host, database=server.database, secret_arn=ARN)
    with database.connection(Context(5)) as connection:
        assert rows(connection, "SELECT 1")[0][0] == 1
    assert manager.fetched == 2
    database.close()


def test_a_redis_that_moved_is_found_by_its_secret(
    redis_server: RedisServer, manager: SecretsManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "_ASK_WHERE_SECONDS", 0.0)
    manager.value = "no JSON"
    cache = breakwater.redis(secret_arn=ARN)
    pool = cache.connection_pool
    assert isinstance(pool, Pool)
    pool._known().settings.tls_ca = None
    # what fails here leaves the one connection to be used
    for _ in range(2):
        with pytest.raises(breakwater.ConfigurationError, match="no JSON object"):
            cache.ping()
    manager.value, manager.later = secret(redis_server) | {"port": 1}, (3, secret(redis_server))
    assert cache.ping()
    assert manager.fetched == 4
    assert pool.connection_kwargs["port"] == redis_server.port
    cache.close()


def test_a_redis_that_moved_is_found_while_the_one_before_refuses(
    redis_server: RedisServer, manager: SecretsManager
) -> None:
    with RedisServer() as before:
        manager.value, manager.later = secret(before) | {"password": "not it"}, (1, secret(redis_server))
        cache = breakwater.redis(host=redis_server.host, secret_arn=ARN)
        assert cache.ping()
        cache.close()
    assert manager.fetched == 2


def test_what_a_secret_said_holds_while_secrets_manager_gives_no_other(
    server: SqlServer, manager: SecretsManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that restarts isn't kept away by what fails beside it."""
    monkeypatch.setattr(credentials, "_LONGEST_ASK_SECONDS", 0.1)
    with Network(server) as network:
        manager.value = secret(server) | {"port": network.port}
        database = breakwater.database(engine=server.engine, host=server.host, secret_arn=ARN)
        with database.connection(Context(5)) as connection:
            assert rows(connection, "SELECT 1")[0][0] == 1
        database.close()
        manager.failures = 10_000
        network.point_to(type(server)())  # which nobody has started
        with pytest.raises(breakwater.ConnectionUnavailable, match=rf"{server.engine} at "):
            database.connection(Context(1)).__enter__()
        network.point_to(server)
        with database.connection(Context(2)) as connection:
            assert rows(connection, "SELECT 1")[0][0] == 1
        assert manager.fetched > 1
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


def test_a_secret_in_rotation_is_waited_for(server: SqlServer, manager: SecretsManager) -> None:
    """The password is changed first, and the secret some seconds later."""
    manager.value = secret(server)
    database = breakwater.database(engine=server.engine, host=server.host, port=server.port, secret_arn=ARN)
    rotated, before = secrets.token_urlsafe(12), server.password
    try:
        set_password(server, rotated)
        manager.later = 3, secret(server) | {"password": rotated}
        with database.connection(Context(30)) as connection:
            assert rows(connection, "SELECT 1")[0][0] == 1
        assert manager.fetched == 4
    finally:
        set_password(server, before)
        database.close()


def test_a_wrong_secret_is_waited_for_once(
    server: SqlServer, manager: SecretsManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "_ROTATION_SECONDS", 2)
    manager.value = secret(server) | {"password": "not it"}
    database = breakwater.database(engine=server.engine, host=server.host, port=server.port, secret_arn=ARN)
    refused = r"(?i)(access denied|password authentication failed)"
    watch = Stopwatch()
    with pytest.raises(Exception, match=refused):
        database.connection(Context(4)).__enter__()
    assert watch.seconds <= 3.7
    fetched, watch = manager.fetched, Stopwatch()
    with pytest.raises(Exception, match=refused):
        database.connection(Context(30)).__enter__()
    assert watch.seconds < 2
    assert manager.fetched == fetched + 1
    # another secret is another chance
    manager.value = secret(server)
    with database.connection(Context(30)) as connection:
        assert rows(connection, "SELECT 1")[0][0] == 1
    database.close()


def test_a_rotation_is_waited_for_as_long_as_one_takes() -> None:
    refused = credentials.Credentials(Settings(None, {"engine": "mysql", "secret_arn": ARN}))
    pauses: list[float] = []
    value = json.dumps({"username": "app", "password": "old"})
    with pytest.MonkeyPatch.context() as patch:
        now = 0.0
        patch.setattr(credentials, "monotonic", lambda: now)
        while True:
            refused._secret = parse(ARN, value)
            pause = refused.pause_after_refusal(Deadline(Context(900)))
            if pause is None:
                break
            pauses.append(pause)
            now += pause
    assert pauses[:4] == [0, 0.25, 0.5, 1]
    assert 13 <= sum(pauses) <= 15


def test_a_rotation_is_waited_for_by_one_short_invocation_after_the_other() -> None:
    refused = credentials.Credentials(Settings(None, {"engine": "mysql", "secret_arn": ARN}))
    value = json.dumps({"username": "app", "password": "old"})

    def pause(seconds: float) -> float | None:
        refused._secret = parse(ARN, value)
        return refused.pause_after_refusal(Deadline(Context(seconds)))

    assert [pause(3), pause(3), pause(3)] == [0, 0.25, 0.5]
    assert pause(1.1) is None
    assert pause(3) == pytest.approx(2, abs=0.1)
    assert pause(2.5) == pytest.approx(1.5, abs=0.1), "the last attempt is made while there is time for one"


def test_a_rotation_is_waited_for_anew_where_an_invocation_before_ended_in_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Secrets Manager gave no answer then, so that nobody knows whether the secret is wrong."""
    refused = credentials.Credentials(Settings(None, {"engine": "mysql", "secret_arn": ARN}))
    value = json.dumps({"username": "app", "password": "old"})
    pauses: list[float | None] = []
    for now in (0.0, 0.1, 600.0, 600.1):
        monkeypatch.setattr(credentials, "monotonic", lambda now=now: now)
        refused._secret = parse(ARN, value)
        pauses.append(refused.pause_after_refusal(Deadline(Context(900))))
    assert pauses == [0, 0.25, 0, 0.25]


def test_a_secret_of_another_host_is_said(server: SqlServer, manager: SecretsManager) -> None:
    manager.value = secret(server) | {"password": "not it", "host": "reports.example.net"}
    database = breakwater.database(engine=server.engine, host=server.host, port=server.port, secret_arn=ARN)
    said = "was refused by the host '127.0.0.1'; it is a secret of the host 'reports.example.net'"
    with pytest.raises(breakwater.ConfigurationError, match=said) as caught:
        database.connection(Context(5)).__enter__()
    assert re.search(r"(?i)(access denied|password authentication failed)", str(caught.value.__context__))


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("plain text", "it is no JSON object"),
        ('["k3ptback"]', "it is no JSON object"),
        ("42", "it is no JSON object"),
        ("null", "it is no JSON object"),
        (b"binary", "is binary"),
        ('{"user": "x"}', 'there is no "password"'),
        ('{"username": "app", "password": ""}', 'there is no "password"'),
        ('{"username": "app", "password": 7654321}', 'its "password" is a int, not a string'),
        ('{"username": 7, "password": "x12345"}', 'its "username" is a int, not a string'),
        ('{"username": "app", "password": "x12345", "host": ["h"]}', 'its "host" is a list, not a string'),
        ('{"username": "app", "password": "x12345", "port": "mysql"}', 'its "port" is no number from 1 to 65535'),
        ('{"username": "app", "password": "x12345", "port": 0.5}', 'its "port" is no number from 1 to 65535'),
        ('{"password": "x12345"}', 'has no "username", and the setting "user" names nobody'),
    ],
)
def test_a_malformed_secret_is_named_but_not_shown(
    server: SqlServer, manager: SecretsManager, value: str | bytes, problem: str
) -> None:
    manager.value = value
    database = breakwater.database(engine=server.engine, host=server.host, secret_arn=ARN)
    with pytest.raises(breakwater.ConfigurationError, match=problem) as caught:
        database.connection(Context(30)).__enter__()
    assert ARN in str(caught.value)
    said = "".join(traceback.format_exception(caught.value))
    assert not any(hidden in said for hidden in ("plain text", "k3ptback", "7654321", "x12345"))
    assert caught.value.__context__ is None


def test_a_secrets_manager_that_says_nothing_costs_no_more_than_the_time(
    server: SqlServer, manager: SecretsManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "shop")  # there, botocore's client is made before an invocation
        _aws.client.cache_clear()
        database = breakwater.database(engine=server.engine, host=server.host, secret_arn=ARN)
        watch = Stopwatch()
        with pytest.raises(breakwater.ConnectionUnavailable, match=rf"secret {ARN} at http\S+: no .* in \d\.\d s"):
            database.connection(Context(4)).__enter__()
        assert watch.seconds <= 3.7


def test_a_secrets_manager_that_fails_is_asked_again(server: SqlServer, manager: SecretsManager) -> None:
    manager.value, manager.failures = secret(server), 3
    database = breakwater.database(engine=server.engine, host=server.host, port=server.port, secret_arn=ARN)
    with database.connection(Context(10)) as connection:
        assert rows(connection, "SELECT 1")[0][0] == 1
    database.close()
    assert manager.fetched == 4
    manager.failures = 10_000
    database = breakwater.database(engine=server.engine, host=server.host, secret_arn=ARN)
    watch = Stopwatch()
    with pytest.raises(breakwater.ConnectionUnavailable, match="InternalServiceError"):
        database.connection(Context(2)).__enter__()
    assert watch.seconds <= 1.7


def _stand_still(seconds: float) -> None:
    del seconds
    time.sleep(2)


def test_an_environment_that_stood_still_says_what_failed_before(
    server: SqlServer, manager: SecretsManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager.failures = 10_000
    database = breakwater.database(engine=server.engine, host=server.host, secret_arn=ARN)
    context = Context(2)
    monkeypatch.setattr(retry, "sleep", _stand_still)
    with pytest.raises(breakwater.ConnectionUnavailable, match=r"after 1 attempt in .*InternalServiceError"):
        database.connection(context).__enter__()


def test_a_secret_is_not_logged_at_debug(
    server: SqlServer, manager: SecretsManager, caplog: pytest.LogCaptureFixture
) -> None:
    """Lambda's log level DEBUG is that of the root logger, and botocore logs whole answers there."""
    manager.value = secret(server)
    database = breakwater.database(engine=server.engine, host=server.host, port=server.port, secret_arn=ARN)
    token = breakwater.database(engine="mysql", host="db.example.net", user="clerk", auth="iam")
    with caplog.at_level(logging.DEBUG):
        with database.connection(Context(30)) as connection:
            rows(connection, "SELECT 1")
        signature = token._keeper._credentials.login().password.rpartition("X-Amz-Signature=")[2]
    database.close()
    assert "botocore" in {entry.name.partition(".")[0] for entry in caplog.records}
    assert server.password not in caplog.text
    assert signature
    assert signature not in caplog.text


@pytest.mark.parametrize(("refusals", "logins"), [(1, [2]), (9, [2, 1])], ids=["one", "all"])
def test_a_refused_token_is_followed_by_one_more(
    request: pytest.FixtureRequest,
    server: SqlServer,
    monkeypatch: pytest.MonkeyPatch,
    refusals: int,
    logins: list[int],
) -> None:
    monkeypatch.setattr(credentials, "_LONGEST_TOKEN_PAUSE", credentials._FIRST_PAUSE)
    tls_server: SqlServer = request.getfixturevalue(f"tls_{server.engine}")
    tokens: list[str] = []

    def sign(*_: object) -> str:
        tokens.append("not it" if len(tokens) < refusals else tls_server.password)
        return tokens[-1]

    monkeypatch.setattr(_iam_token, "_sign", sign)
    settings = {name: value for name, value in tls_server.settings.items() if name != "password"}
    database = breakwater.database(**settings, auth="iam")
    for made in logins:
        tokens.clear()
        refused = pytest.raises(Exception, match=r"(?i)(access denied|password authentication failed)")
        with refused if refusals > 1 else nullcontext(), database.connection(Context(5)) as connection:
            assert rows(connection, "SELECT 1")[0][0] == 1
        assert len(tokens) == made
    database.close()


def test_an_iam_token_is_made_for_each_connect(
    manager: SecretsManager, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = breakwater.database(
        engine="postgresql", host="db.example.net", user="clerk", auth="iam", tls_ca=str(certificates.ca)
    )
    passwords = [database._keeper._credentials.login().password for _ in range(2)]
    for token in passwords:
        assert token.startswith("db.example.net:5432/?Action=connect&DBUser=clerk")
        assert "X-Amz-Signature=" in token
    assert manager.fetched == 0


@pytest.mark.parametrize(("user", "action"), [("clerk", "DbConnect"), ("admin", "DbConnectAdmin")])
def test_a_token_for_aurora_dsql(manager: SecretsManager, user: str, action: str) -> None:
    host = "abc.dsql.eu-central-1.on.aws"
    database = breakwater.database(engine="postgresql", host=host, user=user, auth="iam", proxy=True)
    token = database._keeper._credentials.login().password
    assert token.startswith(f"{host}/?Action={action}&")
    assert "eu-central-1%2Fdsql%2Faws4_request" in token
    assert manager.fetched == 0


def test_iam_without_tls_is_refused() -> None:
    with pytest.raises(breakwater.ConfigurationError, match="IAM database authentication needs TLS"):
        breakwater.database(engine="postgresql", host="127.0.0.1", user="clerk", auth="iam")
