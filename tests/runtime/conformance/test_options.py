"""Each option of each driver's connect is joined and kept, or refused at once: none is lost, none undoes a promise."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from servers.sql import execute, rows

import breakwater_runtime as breakwater
from breakwater_runtime._core import server_pressure
from tests.runtime.conformance.clients import DRIVERS
from tests.runtime.conformance.driver_options import ARGUMENTS, Kept, Refused, accepted, verdicts
from tests.runtime.conformance.observer import observer
from tests.runtime.conformance.promises import promise
from tests.runtime.conformance.stage import play
from tests.runtime.conformance.trouble import Fault, Trouble
from tests.runtime.waiting import Stopwatch, wait_until

if TYPE_CHECKING:
    from servers import Certificates
    from servers.sql import SqlServer

    from tests.runtime.conformance.clients import Client, Session
    from tests.runtime.conformance.stage import Scene

SECONDS = 20.0


@promise(31)
def test_each_option_has_a_verdict(client: Client, certificates: Certificates) -> None:
    assert accepted(client.name) - ARGUMENTS - verdicts(client.name, certificates).keys() == set()


@promise(31)
def test_what_is_refused_is_refused_at_once(client: Client, certificates: Certificates) -> None:
    settings = {"engine": client.engine, "host": "db.example.net", "user": "app", "password": "not used"}
    lost = []
    refused = verdicts(client.name, certificates) | dict.fromkeys(("no_such_option", "ssl_of_tomorrow"), Refused())
    for name, verdict in refused.items():
        for value in verdict.values if isinstance(verdict, Refused) else ():
            try:
                client.open(settings, SECONDS, **{name: value})
            except breakwater.ConfigurationError as error:
                assert name in str(error)
            else:
                lost.append((name, value))
    assert not lost, f"taken without a word: {lost}"


@promise(31, clients=("SQLAlchemy, PyMySQL", "SQLAlchemy, psycopg"))
def test_an_engine_s_options_lead_nowhere_else(client: Client, sql_server: SqlServer) -> None:
    database = client.open(sql_server.settings, SECONDS).database
    for name in ("connect_args", "creator", "module", "pool", "poolclass"):
        with pytest.raises(breakwater.ConfigurationError, match=f"{name} is no option"):
            database.engine(**{name: {}})
    # NullPool has none
    with pytest.raises(TypeError, match="pool_size"):
        database.engine(pool_size=5)


async def told(session: Session, question: str) -> str:
    """Return one value, whatever cursor and decoders there are."""
    (row,) = await session.rows(question)
    value = next(iter(row.values() if isinstance(row, dict) else row))
    return value.decode() if isinstance(value, bytes) else str(value)


BOUND = {
    "mariadb": "SELECT @@max_statement_time BETWEEN 1 AND 20",
    "postgresql": "SELECT (setting::int BETWEEN 1 AND 20000)::int FROM pg_settings WHERE name = 'transaction_timeout'",
}
LEFT = {
    "mariadb": ("SET @tenant = 7", "SELECT COALESCE(@tenant, 'nothing')"),
    "postgresql": (
        "SET shop.tenant = 7",
        "SELECT coalesce(nullif(current_setting('shop.tenant', true), ''), 'nothing')",
    ),
}
MARKED = {
    "mariadb": "SELECT IS_USED_LOCK('breakwater.idle.{id}') = {id}",
    "postgresql": "SELECT (query LIKE '/*breakwater idle*/%')::int FROM pg_stat_activity WHERE pid = {id}",
}


async def keeps_its_promises(environment: Any, server: SqlServer, kept: Kept) -> None:
    """In force in each block; and each block bounded, rolled back, cleaned, marked, on one session."""
    engine = server.engine
    ids = set()
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            async with environment.block() as connection:
                ids.add(
                    int(
                        await told(
                            connection, f"SELECT {'CONNECTION_ID' if engine == 'mariadb' else 'pg_backend_pid'}()"
                        )
                    )
                )
                if kept.question:
                    assert await told(connection, kept.question) == kept.answer
                driver = getattr(connection.raw, "connection", connection.raw)
                assert kept.of_driver(getattr(driver, "driver_connection", driver) or driver)
                assert await told(connection, BOUND[engine]) == "1", "not bounded by the server"
                assert await told(connection, LEFT[engine][1]) == "nothing", "not cleaned"
                await connection.execute("INSERT INTO outcome VALUES (1)", LEFT[engine][0])
                raise ZeroDivisionError
        # as after a pause: the session is asked
        environment.database._keeper._used_at = (0.0, 0.0)
    (one,) = ids
    question = MARKED[engine].format(id=one)
    with observer(server) as connection:
        wait_until(lambda: int(rows(connection, question)[0][0] or 0) == 1)
        assert rows(connection, "SELECT COUNT(*) FROM outcome") == [(0,)], "not rolled back"


def make_table(server: SqlServer) -> None:
    with observer(server) as connection:
        execute(connection, "DROP TABLE IF EXISTS outcome", "CREATE TABLE outcome (id INT)")


@promise(31)
async def test_what_is_kept_is_kept_and_breaks_no_promise(
    client: Client, sql_server: SqlServer, certificates: Certificates
) -> None:
    make_table(sql_server)
    broken: dict[str, str] = {}
    for name, kept in verdicts(client.name, certificates).items():
        if isinstance(kept, Refused) or kept.tls:
            continue
        try:
            environment = client.open(sql_server.settings, SECONDS, **{name: kept.value})
            await keeps_its_promises(environment, sql_server, kept)
        except Exception as error:
            broken[name] = f"{type(error).__name__}: {error}"
    assert not broken, "\n".join(f"{name}: {what}" for name, what in broken.items())


@promise(31, 42)
async def test_no_option_switches_verification_off(
    client: Client, request: pytest.FixtureRequest, certificates: Certificates
) -> None:
    server: SqlServer = request.getfixturevalue(f"tls_{client.engine}")
    make_table(server)
    broken: dict[str, str] = {}
    for name, kept in verdicts(client.name, certificates).items():
        if isinstance(kept, Refused):
            continue
        other = server.settings | {"tls_ca": str(certificates.other_ca)}
        try:
            async with client.open(other, SECONDS, **(kept.also | {name: kept.value})).block():
                broken[name] = "another authority's certificate was taken"
        except Exception as error:
            if "certificate verify failed" not in str(error):
                broken[name] = f"{type(error).__name__}: {error}"
        if kept.tls:
            try:
                environment = client.open(server.settings, SECONDS, **(kept.also | {name: kept.value}))
                await keeps_its_promises(environment, server, kept)
            except Exception as error:
                if not kept.error or kept.error not in str(error):
                    broken[name] = f"{type(error).__name__}: {error}"
    assert not broken, "\n".join(f"{name}: {what}" for name, what in broken.items())


LONGER: dict[str, dict[str, dict[str, Any]]] = {
    "PyMySQL": {"connect": {"connect_timeout": 60}, "statement": {"read_timeout": 60, "write_timeout": 60}},
    "aiomysql": {
        "connect": {"connect_timeout": 60},
        "statement": {"init_command": "SET SESSION max_statement_time=60"},
    },
    "psycopg": {
        "connect": {"connect_timeout": "60", "tcp_user_timeout": 60_000},
        "for ever": {"connect_timeout": "0"},
        "statement": {"keepalives": 0, "options": "-c statement_timeout=60s -c transaction_timeout=60s"},
    },
}


@promise(8, 31, clients=DRIVERS)
def test_no_option_outlasts_the_deadline(client: Client, sql_server: SqlServer) -> None:
    def silent(place: str, options: dict[str, Any]) -> Scene:
        async def scene(own: Client, network: Trouble, server: SqlServer) -> None:
            environment = own.open(network.settings(), 2.0, **options)
            if place == "statement":
                async with environment.block(SECONDS) as connection:
                    await connection.rows("SELECT 1")
            network.at("" if place != "statement" else "SELECT 31", Fault.MESSAGE_LOST, times=100)
            watch = Stopwatch()
            with pytest.raises(Exception, match=r"(?i)answer|deadline"):
                async with environment.block() as connection:
                    await connection.rows("SELECT 31")
            assert watch.seconds < 1.9

        return scene

    play(
        client, sql_server, {place: silent(place, options) for place, options in LONGER[client.name.split()[0]].items()}
    )


WRONG: dict[str, list[dict[str, Any]]] = {
    "mariadb": [{"init_command": "SELECT nonsense"}, {"sql_mode": "nonsense"}, {"charset": "nonsense"}],
    "postgresql": [
        {"require_auth": "nonsense"},
        {"keepalives_idle": "nonsense"},
        {"sslnegotiation": "direct"},
        {"min_protocol_version": "9"},
        {"client_encoding": "nonsense"},
        {"require_auth": "gss"},
        {"options": "-c nonsense=1"},
    ],
}


@promise(31, 41)
async def test_a_wrong_value_is_told_at_once(client: Client, sql_server: SqlServer) -> None:
    started = time.monotonic()
    for option in WRONG[client.engine]:
        with pytest.raises(Exception) as caught:
            async with client.open(sql_server.settings, SECONDS, **option).block():
                pass
        assert not isinstance(caught.value, breakwater.ConnectionUnavailable), option
    assert time.monotonic() - started < SECONDS / 2


@promise(31, clients=("PyMySQL", "aiomysql"))
async def test_the_runtime_hunts_without_decoders(
    client: Client, sql_server: SqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_pressure, "ZOMBIE_SECONDS", 0)
    with Trouble(sql_server) as network:
        frozen = client.open(network.settings(), SECONDS)
        async with frozen.block() as connection:
            await connection.rows("SELECT 1")
        given_up = time.monotonic() + SECONDS
        ended = 0
        while not ended and time.monotonic() < given_up:  # Nobody waits until the server knows that a session is idle.
            hunter = client.open(sql_server.settings, SECONDS, conv={}, utilization=0.0)
            async with hunter.block() as connection:
                await connection.rows("SELECT 1")
            ended = hunter.database.counters.zombies_ended
        assert ended == 1
