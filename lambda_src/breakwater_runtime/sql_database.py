"""`database()`: a SQL database, from arguments and from the environment."""

from __future__ import annotations

from functools import cached_property
from time import sleep
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, overload

from breakwater_runtime._core.keeper import Keeper, keeper_for
from breakwater_runtime._core.lease import Connection, Lease
from breakwater_runtime._core.repetition import Repetition
from breakwater_runtime._core.session import now
from breakwater_runtime._plain import plain, plain_result
from breakwater_runtime.environment import DEFAULT_PORTS, SQL_ENGINES, Settings, configured

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg
    import pymysql
    import sqlalchemy

    from breakwater_runtime._core.session import Adapter
    from breakwater_runtime.metrics import Counters

    Result = TypeVar("Result")
    _Text = str | None
    _Number = float | None

_PLAIN = "Give it a function that does its work when it is called; for coroutines there is async_database()."


class Described:
    """A database that is described, and looked up where anything is said about it; else, as in tests, at its first use.

    Parameters
    ----------
    name, autocommit
        As for `database()`.
    arguments
        Settings, and options of the driver.
    """

    def __init__(self, name: str | None, arguments: dict[str, Any], *, autocommit: bool) -> None:
        self._name = name
        self._settings = {key: arguments.pop(key) for key in Settings.__annotations__ if key in arguments}
        self._options = arguments
        self._autocommit = autocommit
        said = {key for key, value in self._settings.items() if value is not None}
        if self._settings.get("engine") in DEFAULT_PORTS:
            # says which driver it will be, for type checkers, and nothing else
            said.remove("engine")
        if said or configured(name):
            # what is wrong is told at once
            _ = self._keeper

    @cached_property
    def _keeper(self) -> Keeper:
        settings = Settings(self._name, self._settings)
        if settings.engine not in SQL_ENGINES:
            own = f"{type(self).__name__} speaks mysql, mariadb and postgresql."
            raise settings.error("engine", settings.engine, own)
        return keeper_for(self._adapter(settings), settings, autocommit=self._autocommit, options=self._options)

    def _adapter(self, settings: Settings) -> type[Adapter]:
        raise NotImplementedError

    @property
    def counters(self) -> Counters:
        """What happened since the last line of metrics."""
        return self._keeper.counters

    def close(self) -> None:
        """Close the connection, as before a SnapStart snapshot; within a block, at its end. The next opens another."""
        self._keeper.close()


class Database(Described, Generic[Connection]):
    """One database as one execution environment sees it. Made by `database()`."""

    def _adapter(self, settings: Settings) -> type[Adapter]:
        # the library behind it is imported here, not before
        if settings.engine == "postgresql":
            from breakwater_runtime._postgresql.adapter import PostgreSqlAdapter

            return PostgreSqlAdapter
        from breakwater_runtime._mysql.adapter import MySqlAdapter

        return MySqlAdapter

    def connection(self, context: object | None = None) -> Lease[Connection]:
        """Lend the environment's connection for a block: `with database.connection(context) as connection`.

        The block is a transaction: committed when it ends well, rolled back when an exception leaves it. Nothing of a
        session's state is left to the next block, and the connection object is dead after it.

        Parameters
        ----------
        context
            Lambda's context, whose remaining time bounds all waiting; None: the function's timeout, else 15 s.

        Returns
        -------
        Lease
            A context manager that yields the driver's own connection object.

        Raises
        ------
        ConnectionUnavailable
            On entry: no connection until 0.5 s before the deadline.
        OutcomeUnknown
            On leaving: the connection was lost before the answer to COMMIT came.
        TransactionAborted
            On leaving: the server had rolled the transaction back, and no error said so.
        """
        return Lease(self._keeper, context)

    def run(
        self, work: Callable[[Connection], Result], context: object | None = None, *, read_only: bool = False
    ) -> Result:
        """Call `work(connection)` in a block, and again if nothing of it was applied and another try may help.

        A deadlock or a serialization failure is repeated up to 9 times, a lost connection and a server that became a
        reader twice, until the deadline; then the driver's own error is raised. What was applied, or may have been (the
        answer to a COMMIT was lost), is never repeated.

        Parameters
        ----------
        work
            What to do; its effects outside the database must bear repetition.
        context
            As for `connection`.
        read_only
            The work writes nothing, so that it is repeated whatever was lost. Needed with autocommit.

        Returns
        -------
        Result
            What `work` returned.
        """
        plain(work, "run()", _PLAIN)
        keeper = self._keeper
        repetition = Repetition(keeper, context, read_only=read_only)
        while True:
            lease: Lease[Connection] = Lease(keeper, context)
            try:
                with lease as connection:
                    now(repetition.begin(lease))
                    return plain_result(work(connection), "run()", _PLAIN)
            except Exception as error:
                pause = repetition.pause_after(lease, error)
                if pause is None:
                    raise
            sleep(pause)

    def engine(self, **options: Any) -> sqlalchemy.Engine:
        """Make an SQLAlchemy engine for this database: the environment's one connection, alive, verified, clean.

        Parameters
        ----------
        options
            More arguments for `sqlalchemy.create_engine`.
        """
        from breakwater_runtime.sqlalchemy_engine import create_engine

        return create_engine(self._keeper, options)


# fmt: off
@overload
def database(
    name: _Text = None, *, engine: Literal["postgresql"], host: _Text = None, port: int | None = None,
    user: _Text = None, password: _Text = None, database: _Text = None, secret_arn: _Text = None, auth: _Text = None,
    max_connections: int | None = None, utilization: _Number = None, tls_ca: _Text = None, proxy: bool | None = None,
    function_timeout: _Number = None, autocommit: bool = False, **options: Any,
) -> Database[psycopg.Connection[Any]]: ...
@overload
def database(
    name: _Text = None, *, engine: Literal["mysql", "mariadb"], host: _Text = None, port: int | None = None,
    user: _Text = None, password: _Text = None, database: _Text = None, secret_arn: _Text = None, auth: _Text = None,
    max_connections: int | None = None, utilization: _Number = None, tls_ca: _Text = None, proxy: bool | None = None,
    function_timeout: _Number = None, autocommit: bool = False, **options: Any,
) -> Database[pymysql.Connection]: ...
@overload
def database(
    name: _Text = None, *, engine: _Text = None, host: _Text = None, port: int | None = None,
    user: _Text = None, password: _Text = None, database: _Text = None, secret_arn: _Text = None, auth: _Text = None,
    max_connections: int | None = None, utilization: _Number = None, tls_ca: _Text = None, proxy: bool | None = None,
    function_timeout: _Number = None, autocommit: bool = False, **options: Any,
) -> Database[Any]: ...
# fmt: on
def database(
    name: str | None = None,
    *,
    engine: str | None = None,
    host: str | None = None,
    port: int | None = None,
    user: str | None = None,
    password: str | None = None,
    database: str | None = None,
    secret_arn: str | None = None,
    auth: str | None = None,
    max_connections: int | None = None,
    utilization: float | None = None,
    tls_ca: str | None = None,
    proxy: bool | None = None,
    function_timeout: float | None = None,
    autocommit: bool = False,
    **options: Any,
) -> Database[Any]:
    """Describe a SQL database; nothing is opened until a connection is asked for.

    Each argument that is left out is read from the environment, where the constructs put it.

    Parameters
    ----------
    name
        The name of a function's further database: its variables are `BREAKWATER_<NAME>_…`. Default: the first.
    engine
        "mysql", "mariadb" or "postgresql".
    host, port
        Where the server listens; default: what the secret says, the engine's own port.
    user, password
        How to log in without a secret.
    database
        The database's (schema's) name; default: what the secret says.
    secret_arn
        A Secrets Manager secret in the format of RDS.
    auth
        "iam" for IAM database authentication; needs `user`.
    max_connections
        The server's limit; default: the server is asked.
    utilization
        The part of the limit, from 0 to 1, above which connections are given back. Default: 0.8.
    tls_ca
        Whose certificates to trust: "bundled" (the layer's `ca.pem`), "system", "by-host" ("bundled" for a host of RDS
        or DocumentDB, else "system"), or the path of a file. Chain and host
        name are verified. Default: "system", and plain text on loopback.
    proxy
        Whether the host is an RDS Proxy: nothing is SET then.
    function_timeout
        The function's timeout in seconds; the deadline where no context is given.
    autocommit
        Whether each statement is a transaction of its own: no COMMIT at the end of a block.
    options
        More arguments for the driver's own connect: kept over resets, joined with the runtime's, or refused.

    Raises
    ------
    ConfigurationError
        A setting is missing or wrong, or an option is refused. Where nothing is given and nothing set, as in a unit
        test that imports a handler, it is raised at the first use.
    """
    given = {
        "engine": engine,
        "host": host,
        "port": port,
        "user": user,
        "password": password,
        "database": database,
        "secret_arn": secret_arn,
        "auth": auth,
        "max_connections": max_connections,
        "utilization": utilization,
        "tls_ca": tls_ca,
        "proxy": proxy,
        "function_timeout": function_timeout,
    }
    return Database(name, given | options, autocommit=autocommit)
