"""Whatever the process's environment and home directory hold: the same server, the same login, verified, bounded."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

import breakwater_runtime as breakwater
from breakwater_runtime import tls
from tests.runtime.conformance.driver_options import Kept
from tests.runtime.conformance.promises import promise
from tests.runtime.conformance.test_options import keeps_its_promises, make_table, told

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from servers.sql import SqlServer

    from tests.runtime.conformance.clients import Client

SECONDS = 20.0
# Each would lead to another server or login, verify less, tell the keys of a connection, or fail
HOSTILE = {
    "mariadb": {
        "SSLKEYLOGFILE": "{home}/keys",
        "MYSQL_HOST": "127.0.0.9",
        "MYSQL_PWD": "wrong",
        "MYSQL_TCP_PORT": "1",
        "MYSQL_UNIX_PORT": "/nowhere",
        "MYSQL_HOME": "{home}",
    },
    "postgresql": {
        "SSLKEYLOGFILE": "{home}/keys",
        "PGCHANNELBINDING": "nonsense",
        "PGCONNECT_TIMEOUT": "nonsense",
        "PGDATABASE": "nowhere",
        "PGGSSDELEGATION": "nonsense",
        "PGGSSENCMODE": "require",
        "PGGSSLIB": "nonsense",
        "PGHOST": "127.0.0.9",
        "PGHOSTADDR": "127.0.0.9",
        "PGKRBSRVNAME": "nonsense",
        "PGLOADBALANCEHOSTS": "nonsense",
        "PGMINPROTOCOLVERSION": "3.2",
        "PGPASSFILE": "{home}/.pgpass",
        "PGPASSWORD": "wrong",
        "PGPORT": "1",
        "PGREQUIREPEER": "nobody",
        "PGREQUIRESSL": "0",
        "PGSERVICEFILE": "/nowhere",
        "PGSSLCERT": "/nowhere.crt",
        "PGSSLCERTMODE": "require",
        "PGSSLCOMPRESSION": "1",
        "PGSSLCRL": "{home}",
        "PGSSLCRLDIR": "/nowhere",
        "PGSSLKEY": "/nowhere.key",
        "PGSSLMAXPROTOCOLVERSION": "TLSv1.2",
        "PGSSLMINPROTOCOLVERSION": "nonsense",
        "PGSSLMODE": "disable",
        "PGSSLNEGOTIATION": "nonsense",
        "PGSSLROOTCERT": "/nowhere.pem",
        "PGSSLSNI": "0",
        "PGTARGETSESSIONATTRS": "standby",
        "PGUSER": "nobody",
    },
}
# How a session begins is the function's own affair: question and answer
KEPT = {
    "PGAPPNAME": ("shop", "SHOW application_name", "shop"),
    "PGCLIENTENCODING": ("LATIN1", "SHOW client_encoding", "LATIN1"),
    "PGMAXPROTOCOLVERSION": ("3.0", "SELECT 1", "1"),
    "PGOPTIONS": ("-c statement_timeout=0 -c search_path=public,shop", "SHOW search_path", "public,shop"),
    "PGREQUIREAUTH": ("scram-sha-256", "SELECT 1", "1"),
    "PGTZ": ("Asia/Kathmandu", "SHOW timezone", "Asia/Kathmandu"),
}
FILES = {
    ".my.cnf": "[client]\nhost=127.0.0.9\nuser=nobody\npassword=wrong\nskip-ssl\n",
    ".pgpass": "*:*:*:*:wrong\n",
    ".pg_service.conf": "[shop]\nhost=127.0.0.9\nsslmode=disable\n",
    ".postgresql/postgresql.crt": "no certificate",
    ".postgresql/postgresql.key": "no key",
}


@contextmanager
def surroundings(client: Client, home: Path, **more: str) -> Iterator[None]:
    """Let a connection be opened within all of that; the tests' own are not."""
    for name, text in FILES.items():
        path = home / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o600)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        for name, value in (HOSTILE[client.engine] | more).items():
            patch.setenv(name, value.format(home=home))
        yield


@promise(31, 42)
async def test_nothing_around_it_leads_elsewhere(
    client: Client, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "_contexts", {})
    kept = KEPT if client.engine == "postgresql" else {}
    if kept:
        known = {one.envvar.decode() for one in psycopg.pq.Conninfo.get_defaults() if one.envvar}
        # a variable of a new libpq needs a verdict
        assert known - HOSTILE["postgresql"].keys() - kept.keys() == {"PGSERVICE"}
    for security in ("", "tls_"):
        server: SqlServer = request.getfixturevalue(security + client.engine)
        # the tests' own MySQL drivers speak plain text
        is_observed = not security or client.engine == "postgresql"
        if is_observed:
            make_table(server)
        environment = client.open(server.settings, SECONDS)
        with surroundings(client, tmp_path, **{name: value for name, (value, _, _) in kept.items()}):
            async with environment.block() as connection:
                who = client.statement(
                    mariadb="SELECT CONCAT(SUBSTRING_INDEX(USER(), '@', 1), ' ', DATABASE(), ' ', @@port)",
                    postgresql="SELECT concat_ws(' ', session_user, current_database(), inet_server_port())",
                )
                assert await told(connection, who) == f"{server.user} {server.database} {server.port}"
                for _, question, answer in kept.values():
                    assert await told(connection, question) == answer
                secure = client.statement(
                    mariadb="SELECT variable_value FROM information_schema.session_status "
                    "WHERE variable_name = 'Ssl_version'",
                    postgresql="SELECT coalesce(version, '') FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
                )
                assert await told(connection, secure) == ("TLSv1.3" if security else "")
        if is_observed:
            connects = environment.database.counters.connects
            await keeps_its_promises(environment, server, Kept(None))
            assert environment.database.counters.connects == connects, "not on the session that was opened so"
    assert not (tmp_path / "keys").exists()


@promise(31)
async def test_a_login_comes_from_nowhere_else(client: Client, sql_server: SqlServer, tmp_path: Path) -> None:
    for missing in ("user", "password"):
        settings: dict[str, Any] = dict(sql_server.settings)
        del settings[missing]
        environment = client.open(settings, SECONDS)
        with (
            surroundings(client, tmp_path),
            pytest.raises(Exception, match=r"user \(argument|denied|no password supplied") as caught,
        ):
            async with environment.block():
                pass
        assert isinstance(caught.value, breakwater.ConfigurationError) == (missing == "user")


@promise(31, clients=("psycopg", "psycopg async", "SQLAlchemy, psycopg"))
async def test_a_service_is_refused_by_name(client: Client, sql_server: SqlServer, tmp_path: Path) -> None:
    environment = client.open(sql_server.settings, SECONDS)
    with (
        surroundings(client, tmp_path, PGSERVICE="shop"),
        pytest.raises(breakwater.ConfigurationError, match="PGSERVICE is 'shop'"),
    ):
        async with environment.block():
            pass
