"""The connections of `redis()`: as many as the budget counts, with redis-py's options joined or refused."""

from __future__ import annotations

import ssl
from time import monotonic
from typing import Any

from redis.backoff import NoBackoff
from redis.connection import AbstractConnection, BlockingConnectionPool, Connection, SSLConnection
from redis.exceptions import ConnectionError  # noqa: A004
from redis.retry import Retry

from breakwater_runtime._core.options import LOGIN, PARALLELISM, connections, parameters, refuse
from breakwater_runtime._redis.connection import Bounded
from breakwater_runtime._redis.kinds import Plain, Tls
from breakwater_runtime._redis.server import Server
from breakwater_runtime.environment import Settings, configured

_SETTINGS = ("engine", "host", "port", "user", "password", "secret_arn", "tls_ca", "function_timeout")
_ONCE = "A command is never sent twice, and a connect is repeated until the deadline."
_WATCHED = "The runtime watches over the connection itself."
_OCSP = "redis-py checks OCSP on connections of its own, which have no time limit."
_REFUSED = (
    dict.fromkeys(("username", "credential_provider"), LOGIN)
    | dict.fromkeys(("retry", "retry_on_timeout", "retry_on_error"), _ONCE)
    | dict.fromkeys(("max_connections", "timeout", "queue_class", "connection_pool"), PARALLELISM)
    | dict.fromkeys(("connection_class", "ssl"), "TLS and its CA are chosen by tls_ca.")
    | dict.fromkeys(("ssl_ca_certs", "ssl_ca_path", "ssl_ca_data"), "TLS and its CA are chosen by tls_ca.")
    | dict.fromkeys(("health_check_interval", "socket_keepalive", "socket_keepalive_options", "socket_type"), _WATCHED)
    # these lead a connection to another host, with other timeouts
    | dict.fromkeys(("maint_notifications_config", "maint_notifications_pool_handler", "maintenance_state"), _WATCHED)
    | dict.fromkeys(("maintenance_notification_hash", "oss_cluster_maint_notifications_handler"), _WATCHED)
    | dict.fromkeys(("orig_host_address", "orig_socket_timeout", "orig_socket_connect_timeout"), _WATCHED)
    | dict.fromkeys(("ssl_validate_ocsp", "ssl_validate_ocsp_stapled"), _OCSP)
    | dict.fromkeys(("ssl_ocsp_context", "ssl_ocsp_expected_cert"), _OCSP)
    | dict.fromkeys(("cache", "cache_config"), "What a key becomes while the environment is frozen, nobody tells it.")
    | {"himport_registry": "It is a client's own."}
)


class Pool(BlockingConnectionPool):
    """As many connections as the budget counts; a command waits for one until its deadline."""

    def __init__(self, name: str | None, parallelism: int, arguments: dict[str, Any]) -> None:
        self._name = name
        self._settings = {key: arguments.pop(key) for key in _SETTINGS if key in arguments}
        self._server: Server | None = None
        takers = (AbstractConnection.__init__, Connection.__init__, SSLConnection.__init__)
        refuse("redis-py's connection", arguments, _REFUSED, parameters(*takers))
        self._options = {
            "retry": Retry(NoBackoff(), 0),
            # with RESP 3 redis-py no longer looks at the socket before it uses a connection again
            "protocol": 2,
            # redis-py's own 5 s would come before the deadline
            "socket_timeout": None,
            "socket_connect_timeout": None,
            **arguments,
        }
        if self._settings or configured(name):
            self._known()  # what is there is checked at once
        super().__init__(connection_class=Connection, max_connections=connections(parallelism), **self._options)

    def _known(self) -> Server:
        if self._server is None:
            self._server = Server(Settings(self._name, {"engine": "redis", **self._settings}))
            self._verified(self._server.settings)
        return self._server

    def _verified(self, settings: Settings) -> None:
        options = self._options
        unverified = {
            "ssl_cert_reqs": options.get("ssl_cert_reqs", "required") not in ("required", ssl.CERT_REQUIRED),
            "ssl_check_hostname": options.get("ssl_check_hostname", True) is not True,
            "ssl_exclude_verify_flags": bool(options.get("ssl_exclude_verify_flags")),
        }
        for option, wrong in unverified.items():
            if wrong:
                raise settings.error(
                    option,
                    options[option],
                    'It would leave the server unverified. Name its CA: tls_ca="/path/of/ca.pem".',
                )
        if settings.tls_ca is None and (own := [name for name in options if name.startswith("ssl_")]):
            raise settings.error(own[0], options[own[0]], "This connection is plain text: name a CA by tls_ca.")

    def make_connection(self) -> Connection:
        server = self._known()
        settings = server.settings
        # a secret says where, on connecting: what is raised here would cost the pool this connection for ever
        options: dict[str, Any] = {**self._options, "host": settings.host or settings.secret_arn}
        if settings.secret_arn or settings.password:
            options["credential_provider"] = None
        connection = (Plain if settings.tls_ca is None else Tls)(server, **options)
        self._connections.append(connection)
        return connection

    def get_connection(self, *arguments: Any, **options: Any) -> Connection:
        server = self._known()
        server.begin()
        started = monotonic()
        try:
            connection: Any = super().get_connection(*arguments, **options)
        except ConnectionError as error:
            if str(error) != "No connection available.":
                raise
            raise ConnectionError(
                f"redis: none of this environment's {self.max_connections} connections was free within "
                f"{monotonic() - started:.1f} s; parallelism= is their number"
            ) from error
        self.connection_kwargs |= {"host": connection.host, "port": connection.port}  # for who shows them
        return connection

    @property
    def timeout(self) -> float:
        """How long a command waits for a connection."""
        return max(0.0, self._known().deadline().remaining())

    @timeout.setter
    def timeout(self, seconds: float) -> None:
        pass  # redis-py's own default

    def release(self, connection: Connection) -> None:
        if isinstance(connection, Bounded) and not connection.is_clean:
            connection.disconnect()
        super().release(connection)
