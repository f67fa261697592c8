"""Redis and Valkey, by redis-py: one connection, retried on connecting, and no command sent twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import redis as redis_py
from redis.backoff import NoBackoff
from redis.connection import BlockingConnectionPool, Connection, SSLConnection
from redis.credentials import CredentialProvider
from redis.exceptions import AuthenticationError, AuthorizationError, ConnectionError, TimeoutError  # noqa: A004
from redis.retry import Retry

from breakwater_runtime._core.liveness import CHECK_AFTER_SECONDS
from breakwater_runtime.credentials import Credentials
from breakwater_runtime.deadline import Deadline
from breakwater_runtime.environment import DEFAULT_PORTS, Settings
from breakwater_runtime.retry import Attempts
from breakwater_runtime.tls import ca_file

if TYPE_CHECKING:
    from redis import Redis


class _Login(CredentialProvider):
    def __init__(self, credentials: Credentials) -> None:
        self.credentials = credentials

    def get_credentials(self) -> tuple[str, str] | tuple[str]:
        login = self.credentials.login()
        return (login.user, login.password) if login.user else (login.password,)


class _Retried:
    """A connect that is repeated until the deadline; what follows it never is: an INCR would count twice."""

    host: str
    port: int
    breakwater_timeout: float | None = None

    def connect(self) -> None:
        if getattr(self, "_sock", None):
            return
        attempts = Attempts(f"redis at {self.host}:{self.port}", Deadline(None, self.breakwater_timeout))
        while error := self._failure():
            attempts.failed(error)

    def _failure(self) -> Exception | None:
        try:
            super().connect()  # pyrefly: ignore
        except (AuthenticationError, AuthorizationError):
            raise
        except (ConnectionError, TimeoutError) as error:
            if "certificate verify failed" in str(error):
                raise
            return error
        return None


class _Plain(_Retried, Connection):
    pass


class _Tls(_Retried, SSLConnection):
    pass


def redis(name: str | None = None, *, parallelism: int = 1, **arguments: Any) -> Redis:
    """Make a client for Redis or Valkey; nothing is opened until a command is sent.

    Parameters
    ----------
    name
        The name of a function's further downstream.
    parallelism
        How many connections an environment may hold: one, unless its handler uses threads.
    arguments
        engine ("redis" by default, or "valkey"), host, port, user, password, secret_arn, tls_ca, function_timeout,
        as for `database`; anything else goes to redis-py's connection.

    Returns
    -------
    redis.Redis
        redis-py's own client.
    """
    known = ("engine", "host", "port", "user", "password", "secret_arn", "tls_ca", "function_timeout")
    settings = Settings(name, {"engine": "redis"} | {key: arguments.pop(key) for key in known if key in arguments})
    credentials = Credentials(settings)
    kind: type[Connection] = _Plain
    options: dict[str, Any] = {
        "host": settings.host or credentials.login().host,
        "port": settings.port or DEFAULT_PORTS[settings.engine],
        # asked on connecting, not before
        "credential_provider": _Login(credentials) if settings.secret_arn or settings.password else None,
        "retry": Retry(NoBackoff(), 0),
        "health_check_interval": CHECK_AFTER_SECONDS,
        "socket_timeout": settings.function_timeout or 10,
        "socket_connect_timeout": 5,
        "socket_keepalive": True,
        # with RESP 3 redis-py no longer looks at the socket before it uses a connection again
        "protocol": 2,
    }
    if settings.tls_ca is not None:
        kind = _Tls
        options |= {"ssl_cert_reqs": "required", "ssl_check_hostname": True, "ssl_ca_certs": ca_file(settings.tls_ca)}
    pool = BlockingConnectionPool(
        connection_class=type(kind.__name__, (kind,), {"breakwater_timeout": settings.function_timeout}),
        max_connections=parallelism,
        timeout=settings.function_timeout or 10,
        **{**options, **arguments},
    )
    return redis_py.Redis(connection_pool=pool)
