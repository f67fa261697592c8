"""`database()`: a SQL database, from arguments and from the environment."""

from __future__ import annotations

from typing import Any

from breakwater_runtime.connection import Database
from breakwater_runtime.environment import Settings, configured


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
) -> Database:
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
        Whose certificates to trust: "bundled" (the layer's `ca.pem`), "system", or the path of a file. Chain and host
        name are verified. Default: "system", and plain text on loopback.
    proxy
        Whether the host is an RDS Proxy: nothing is SET then.
    function_timeout
        The function's timeout in seconds; the deadline where no context is given.
    autocommit
        Whether each statement is a transaction of its own: no COMMIT at the end of a block.
    options
        More arguments for the driver's own connect.

    Raises
    ------
    ConfigurationError
        A setting is missing or wrong. Where nothing is given and nothing set, as in a unit test that imports a handler,
        it is raised at the first use.
    """
    arguments = {
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
        "proxy": None if proxy is None else int(proxy),
        "function_timeout": function_timeout,
    }
    if not configured(name) and all(value is None for value in arguments.values()):
        return _Unconfigured(name, autocommit=autocommit, options=options)
    return Database(Settings(name, arguments), autocommit=autocommit, options=options)


class _Unconfigured(Database):
    """A database that nothing says anything about yet, as when a test imports a handler: looked up at its first use."""

    def __init__(self, name: str | None, *, autocommit: bool, options: dict[str, Any]) -> None:
        self._name, self._autocommit, self._given = name, autocommit, options

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        super().__init__(Settings(self._name, {}), autocommit=self._autocommit, options=self._given)
        return getattr(self, attribute)
