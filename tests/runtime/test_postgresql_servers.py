"""PostgreSQL servers that know less, administrators that allow less, and options that would allow more."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from servers import PostgreSqlServer
from servers.sql import execute, rows, session

import breakwater_runtime as breakwater
from tests.runtime.lambda_context import Context

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def superuser(postgresql: PostgreSqlServer) -> Iterator[psycopg.Connection[Any]]:
    """An administrator within the application's database."""
    with psycopg.connect(
        host=str(postgresql.folder), port=postgresql.port, user="postgres", dbname=postgresql.database, autocommit=True
    ) as connection:
        yield connection


def test_a_server_without_the_settings_is_served(
    postgresql: PostgreSqlServer, superuser: psycopg.Connection[Any]
) -> None:
    """As PostgreSQL 13 without idle_session_timeout, or a server that only speaks the protocol: no catalogue."""
    execute(superuser, "REVOKE SELECT ON pg_catalog.pg_settings FROM PUBLIC")
    database = breakwater.database(**postgresql.settings)
    try:
        sessions = set()
        for _ in range(3):
            with database.connection(Context(20)) as connection:
                sessions.add(session(postgresql, connection))
                execute(connection, "SET search_path = nowhere")
        with database.connection(Context(20)) as connection:
            assert rows(connection, "SHOW search_path") == [('"$user", public',)]
        assert len(sessions) == 1
    finally:
        database.close()
        execute(superuser, "GRANT SELECT ON pg_catalog.pg_settings TO PUBLIC")


def test_a_session_that_cannot_be_cleaned_is_not_used_again(
    postgresql: PostgreSqlServer, superuser: psycopg.Connection[Any]
) -> None:
    execute(superuser, "REVOKE EXECUTE ON FUNCTION pg_advisory_unlock_all() FROM PUBLIC")
    database = breakwater.database(**postgresql.settings)
    try:
        for _ in range(3):
            with database.connection(Context(20)) as connection:
                assert rows(connection, "SHOW search_path") == [('"$user", public',)]
                execute(connection, "SET search_path = nowhere")
    finally:
        database.close()
        execute(superuser, "GRANT EXECUTE ON FUNCTION pg_advisory_unlock_all() TO PUBLIC")


def test_a_lower_limit_of_the_administrator_stays(
    postgresql: PostgreSqlServer, superuser: psycopg.Connection[Any]
) -> None:
    execute(
        superuser, "ALTER ROLE app SET transaction_timeout = '700ms'", "ALTER ROLE app SET idle_session_timeout = '9s'"
    )
    database = breakwater.database(**postgresql.settings)
    try:
        with database.connection(Context(20)) as connection:
            assert rows(connection, "SHOW transaction_timeout") == [("700ms",)]
            assert rows(connection, "SHOW idle_session_timeout") == [("9s",)]
        began = time.monotonic()
        with (
            pytest.raises(psycopg.errors.TransactionTimeout),
            database.connection(Context(20)) as connection,
        ):
            execute(connection, "SELECT pg_sleep(10)")
        assert time.monotonic() - began < 5
    finally:
        database.close()
        execute(superuser, "ALTER ROLE app RESET ALL")


def test_the_server_s_limits_follow_the_function_s(postgresql: PostgreSqlServer) -> None:
    database = breakwater.database(**postgresql.settings, function_timeout=30)
    for _ in range(2):
        with database.connection(Context(20)) as connection:
            assert rows(connection, "SHOW idle_session_timeout") == [("33s",)]
            assert rows(connection, "SHOW client_connection_check_interval") == [("500ms",)]
            milliseconds = rows(connection, "SELECT setting::int FROM pg_settings WHERE name = 'transaction_timeout'")
            assert 15_000 < milliseconds[0][0] <= 20_000
            # the reset at the block's end must not leave the session without them
            execute(connection, "SET idle_session_timeout = 0")
    database.close()


@pytest.mark.parametrize("option", ["hostaddr", "service", "conninfo"])
def test_what_leads_past_the_settings_is_refused(option: str) -> None:
    options: dict[str, Any] = {option: "elsewhere"}
    with (
        pytest.raises(breakwater.ConfigurationError, match=option),
        breakwater.database(engine="postgresql", host="127.0.0.1", user="app", password="secret", **options).connection(
            Context(1)
        ),
    ):
        pass
