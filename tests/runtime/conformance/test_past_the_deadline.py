"""Past the deadline nothing is sent any more: what a block is told is what the server has done."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

import psycopg
import pytest

import breakwater_runtime as breakwater
from tests.runtime.conformance.clients import CLIENTS, DRIVERS, Client
from tests.runtime.conformance.promises import promise
from tests.runtime.conformance.test_outcome import SECONDS, make_table, seen

if TYPE_CHECKING:
    from pathlib import Path

    from servers.sql import SqlServer

    from tests.runtime.conformance.clients import Environment, Session

# 0.4 s of it are the block's
INVOCATION_SECONDS = 0.9
INSERT = "INSERT INTO outcome VALUES (1)"


class OutOfStock(Exception):  # noqa: N818
    pass


async def opened(client: Client, server: SqlServer, *statements: str, **settings: object) -> Environment:
    """An environment that is connected to a server with an empty table."""
    make_table(server, *statements)
    environment = client.open(server.settings | settings, SECONDS)
    async with environment.block(SECONDS) as connection:
        await connection.rows("SELECT 1")
    return environment


def pass_the_deadline() -> None:
    time.sleep(0.45)


@promise(44, clients=CLIENTS)
async def test_what_is_committed_is_told_so(client: Client, sql_server: SqlServer) -> None:
    """Only reads came behind it, and a block's own exception stays what it is."""
    environment = await opened(client, sql_server)
    async with environment.block(INVOCATION_SECONDS) as connection:
        await connection.execute(INSERT)
        await connection.commit()
        assert await connection.rows("SELECT COUNT(*) FROM outcome") == [(1,)]
        pass_the_deadline()
    with pytest.raises(OutOfStock):
        async with environment.block(INVOCATION_SECONDS) as connection:
            await connection.execute(INSERT)
            pass_the_deadline()
            raise OutOfStock
    assert seen(sql_server) == 1
    async with environment.block() as connection:
        assert await connection.rows("SELECT COUNT(*) FROM outcome") == [(1,)]


@promise(44, clients=DRIVERS)
async def test_what_is_lost_behind_a_commit_is_told_so(client: Client, sql_server: SqlServer) -> None:
    environment = await opened(client, sql_server)
    with pytest.raises(breakwater.TransactionAborted, match=r"behind the block's last COMMIT .* had applied .* stays"):
        async with environment.block(INVOCATION_SECONDS) as connection:
            await connection.execute(INSERT)
            await connection.commit()
            await connection.execute(INSERT)
            pass_the_deadline()
    assert seen(sql_server) == 1
    async with environment.block(INVOCATION_SECONDS) as connection:
        await connection.execute(INSERT)
        pass_the_deadline()
        await connection.rollback()
    assert seen(sql_server) == 1


@promise(44, clients=DRIVERS)
async def test_with_autocommit_there_is_nothing_to_commit(client: Client, sql_server: SqlServer) -> None:
    environment = await opened(client, sql_server, autocommit=True)
    async with environment.block(INVOCATION_SECONDS) as connection:
        await connection.execute(INSERT)
        pass_the_deadline()
        await connection.commit()
        await connection.rollback()
    assert seen(sql_server) == 1


@promise(44, clients=("PyMySQL", "aiomysql"))
@pytest.mark.parametrize(("engine", "last", "lost"), [("InnoDB", "BEGIN", False), ("MyISAM", INSERT, True)])
async def test_what_mysql_has_applied_by_itself(
    client: Client, sql_server: SqlServer, engine: str, last: str, lost: bool
) -> None:
    """BEGIN commits, and some tables know no transactions."""
    environment = await opened(client, sql_server, f"ALTER TABLE outcome ENGINE={engine}")

    async def block() -> None:
        async with environment.block(INVOCATION_SECONDS) as connection:
            await connection.execute(INSERT, last, "SELECT COUNT(*) FROM outcome")
            pass_the_deadline()

    if lost:
        with pytest.raises(breakwater.TransactionAborted, match=r"stays: .* tables without transactions"):
            await block()
    else:
        await block()
    assert seen(sql_server) == 1 + lost


@promise(44, clients=("PyMySQL", "aiomysql"))
async def test_a_commit_of_what_a_deadlock_has_rolled_back(client: Client, sql_server: SqlServer) -> None:
    environment = await opened(client, sql_server)
    with pytest.raises(breakwater.TransactionAborted, match="a deadlock, for example"):
        async with environment.block(INVOCATION_SECONDS) as connection:
            await connection.execute(INSERT, "ROLLBACK")
            # as after a deadlock's error that the block has swallowed
            connection.raw.exchange.aborted = True
            pass_the_deadline()
            await connection.commit()


@promise(44, clients=("psycopg",))
async def test_the_driver_s_own_transaction(client: Client, sql_server: SqlServer) -> None:
    environment = await opened(client, sql_server)
    with pytest.raises(OutOfStock):
        async with environment.block(INVOCATION_SECONDS) as connection:
            with connection.raw.transaction(), connection.raw.transaction():
                await connection.execute(INSERT)
                pass_the_deadline()
                raise OutOfStock
    with pytest.raises(breakwater.TransactionAborted, match="nothing of it is applied"):
        async with environment.block(INVOCATION_SECONDS) as connection:
            with connection.raw.transaction():
                await connection.execute(INSERT)
                pass_the_deadline()
    assert seen(sql_server) == 0


@promise(44, clients=("PyMySQL", "aiomysql"))
async def test_a_file_that_is_sent_past_the_deadline(client: Client, sql_server: SqlServer, tmp_path: Path) -> None:
    with sql_server.admin() as admin, admin.cursor() as cursor:
        cursor.execute("SET GLOBAL local_infile=1")
    environment = await opened(client, sql_server, local_infile=True)
    file = tmp_path / "rows.csv"
    os.mkfifo(file)

    def write_late() -> None:
        with file.open("w") as pipe:
            pass_the_deadline()
            pipe.write("1\n" * 100)

    writer = threading.Thread(target=write_late)
    writer.start()
    with pytest.raises(breakwater.OutcomeUnknown, match=r"no answer in time|the invocation ends"):
        async with environment.block(INVOCATION_SECONDS) as connection:
            await connection.execute(f"LOAD DATA LOCAL INFILE '{file}' INTO TABLE outcome")
    writer.join()


@promise(26, clients=("psycopg", "psycopg async"))
async def test_a_procedure_that_has_committed_a_step_is_not_repeated(client: Client, sql_server: SqlServer) -> None:
    make_table(
        sql_server,
        "CREATE OR REPLACE PROCEDURE steps() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO outcome VALUES (1); COMMIT; "
        "RAISE EXCEPTION 'a conflict' USING ERRCODE = '40001'; END $$",
    )
    environment = client.open(sql_server.settings, SECONDS)

    async def work(connection: Session) -> None:
        if client.name == "psycopg":
            connection.raw.autocommit = True
        else:
            await connection.raw.set_autocommit(True)
        await connection.execute("CALL steps()")

    with pytest.raises(psycopg.errors.SerializationFailure):
        await environment.run(work)
    assert seen(sql_server) == 1
