"""database.engine(): SQLAlchemy with the same life of a connection."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
import sqlalchemy
from servers import MariaDbServer
from servers.sql import SqlServer, end_session
from sqlalchemy import text

import breakwater_runtime as breakwater
from breakwater_runtime import testing

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def engine(server: SqlServer) -> Iterator[sqlalchemy.Engine]:
    database = breakwater.database(**server.settings)
    yield database.engine()
    # the connection is the environment's, not the pool's
    database.close()


def session(server: SqlServer, connection: sqlalchemy.Connection) -> int:
    function = "CONNECTION_ID" if isinstance(server, MariaDbServer) else "pg_backend_pid"
    return connection.execute(text(f"SELECT {function}()")).scalar_one()


def test_commits_and_rolls_back(engine: sqlalchemy.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS alchemy"))
        connection.execute(text("CREATE TABLE alchemy (id INT PRIMARY KEY)"))
        connection.execute(text("INSERT INTO alchemy VALUES (1)"))
    with engine.connect() as connection:
        connection.execute(text("INSERT INTO alchemy VALUES (2)"))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT COUNT(*) FROM alchemy")).scalar_one() == 1


def test_holds_one_connection_and_heals(server: SqlServer, engine: sqlalchemy.Engine) -> None:
    with engine.connect() as connection:
        first = session(server, connection)
    with engine.connect() as connection:
        assert session(server, connection) == first
    end_session(server, first)
    time.sleep(0.1)
    with engine.connect() as connection:
        assert session(server, connection) != first
    assert server.sessions() == 1


def test_leaves_no_state(server: SqlServer, engine: sqlalchemy.Engine) -> None:
    change, question = (
        ("SET @tenant = 7", "SELECT @tenant")
        if isinstance(server, MariaDbServer)
        else ("SET search_path = nowhere", "SELECT nullif(current_setting('search_path'), '\"$user\", public')")
    )
    with engine.connect() as connection:
        first = session(server, connection)
        connection.execute(text(change))
        connection.commit()
    with engine.connect() as connection:
        assert session(server, connection) == first
        assert connection.execute(text(question)).scalar_one() is None


def test_autocommit_past_the_deadline(server: SqlServer, engine: sqlalchemy.Engine) -> None:
    """What SQLAlchemy says at its end is nothing that could be lost: a retry would write the row once more."""
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS alchemy"))
        connection.execute(text("CREATE TABLE alchemy (id INT)"))
    with breakwater.invocation(testing.context(seconds=0.9)), engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(text("INSERT INTO alchemy VALUES (1)"))
        time.sleep(0.45)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT COUNT(*) FROM alchemy")).scalar_one() == 1
        connection.execute(text("INSERT INTO alchemy VALUES (2)"))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT COUNT(*) FROM alchemy")).scalar_one() == 1


def test_the_handler_s_own_exception_leaves_a_savepoint_past_the_deadline(engine: sqlalchemy.Engine) -> None:
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))

    def handle() -> None:
        with engine.begin() as connection, connection.begin_nested():
            connection.execute(text("SELECT 1"))
            time.sleep(0.45)
            raise ZeroDivisionError

    with breakwater.invocation(testing.context(seconds=0.9)), pytest.raises(ZeroDivisionError):
        handle()
