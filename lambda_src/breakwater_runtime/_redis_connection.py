"""The connections of `redis()`: ended by the deadline, verified, and without another command's state."""

from __future__ import annotations

import socket
import ssl
import threading
from time import monotonic, sleep, time
from typing import TYPE_CHECKING, Any

from redis.backoff import NoBackoff
from redis.connection import AbstractConnection, BlockingConnectionPool, Connection, SSLConnection
from redis.credentials import CredentialProvider
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    ConnectionError,  # noqa: A004
    ReadOnlyError,
    TimeoutError,  # noqa: A004
)
from redis.retry import Retry

from breakwater_runtime._core.line import connected
from breakwater_runtime._core.liveness import CHECK_AFTER_SECONDS, CHECK_TIMEOUT_SECONDS
from breakwater_runtime._core.options import LOGIN, PARALLELISM, parameters, refuse
from breakwater_runtime._core.resolver import resolved
from breakwater_runtime._core.session import Waker, now
from breakwater_runtime.credentials import Credentials
from breakwater_runtime.deadline import Deadline
from breakwater_runtime.environment import DEFAULT_PORTS, Settings, configured, host_and_port
from breakwater_runtime.errors import ConnectionUnavailable, OutcomeUnknown
from breakwater_runtime.retry import Attempts
from breakwater_runtime.tls import ca_file, context_of_ones_own, ssl_context

if TYPE_CHECKING:
    from collections.abc import Iterable

_SETTINGS = ("engine", "host", "port", "user", "password", "secret_arn", "tls_ca", "function_timeout")
# Commands that change what the next one on the same connection means, and those that end it.
_STATEFUL = {"ASKING", "AUTH", "CLIENT", "HELLO", "MONITOR", "MULTI", "READONLY", "SELECT", "WATCH"}
_ENDED_BY = {"EXEC": {"MULTI", "WATCH"}, "DISCARD": {"MULTI", "WATCH"}, "UNWATCH": {"WATCH"}}
_ONCE = "A command is never sent twice, and a connect is repeated until the deadline."
_WATCHED = "The runtime watches over the connection itself."
_WATCH_LOST = "the connection is lost, and what was set on it with it, as by WATCH"
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
    | {"himport_registry": "It is a client's own."}
)
# A cache that doesn't answer within Lambda's own default timeout of 3 s, where no other is known, is none.
_DEFAULT_SECONDS = 3.0


class _Server:
    """Where the connections of one pool lead, and until when."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.credentials = Credentials(settings)
        self._of_thread = threading.local()

    def begin(self) -> Deadline:
        """Begin an operation: from waiting for a connection to the last answer on it."""
        deadline = Deadline(None, self.settings.function_timeout or _DEFAULT_SECONDS)
        self._of_thread.deadline = deadline
        return deadline

    def deadline(self) -> Deadline:
        """Return that of this thread's operation."""
        deadline: Deadline | None = getattr(self._of_thread, "deadline", None)
        return deadline if deadline is not None and deadline.remaining() > 0 else self.begin()


class _Login(CredentialProvider):
    """Asked on connecting, not before."""

    def __init__(self, server: _Server, connection: _Bounded) -> None:
        self._server = server
        self._connection = connection

    def get_credentials(self) -> tuple[str, str] | tuple[str]:
        login = self._server.credentials.login(self._connection.deadline)
        return (login.user, login.password) if login.user else (login.password,)


class _Socket:
    """A socket whose every wait ends at a deadline, also when an answer comes byte by byte."""

    def __init__(self, plain: Any, connection: _Bounded) -> None:
        self._plain = plain
        self._connection = connection
        self._timeout: float | None = connection.socket_timeout

    def __getattr__(self, name: str) -> Any:
        return getattr(self._plain, name)

    def settimeout(self, seconds: float | None) -> None:
        self._timeout = seconds

    def recv(self, size: int) -> bytes:
        self._bound()
        return self._plain.recv(size)

    def recv_into(self, *arguments: Any) -> int:
        self._bound()
        return self._plain.recv_into(*arguments)

    def sendall(self, data: bytes) -> None:
        self._bound()
        self._plain.sendall(data)

    def _bound(self) -> None:
        left = self._connection.deadline.remaining()
        if self._timeout is not None:
            left = min(left, self._timeout)
        if left <= 0 and self._timeout != 0:
            raise socket.timeout  # noqa: UP041 -- what redis-py expects
        self._plain.settimeout(max(0.0, left))


class _Reached(Connection):
    """A name that is resolved in time, and its addresses one by one, with what is left shared out among them."""

    deadline: Deadline

    def _connect(self) -> Any:
        deadline = self.deadline
        if self.socket_connect_timeout:
            deadline = deadline.within(self.socket_connect_timeout)

        def left() -> float:
            return max(0.001, deadline.remaining())

        reached = now(connected(now(resolved(Waker, self.host, int(self.port), deadline)), left))
        # the whole handshake of TLS, which is what follows, has no more than that
        reached.settimeout(left())
        return reached


class _Bounded(Connection):
    """A connect that is repeated until the deadline; what follows it never is: an INCR would count twice."""

    server: _Server
    deadline: Deadline

    def __init__(self, server: _Server, **options: Any) -> None:
        self.server = server
        self.deadline = server.deadline()
        self._answered_at = (monotonic(), time())
        self._left: set[str] = set()
        self._connecting = self._parting = self._executing = False
        if "credential_provider" in options:
            options["credential_provider"] = _Login(server, self)
        super().__init__(**options)

    @property
    def is_clean(self) -> bool:
        """Whether nothing is left that the next command would feel."""
        return not self._left

    def connect(self) -> None:
        self.deadline = self.server.deadline()
        if getattr(self, "_sock", None):
            return
        attempts = Attempts(f"redis at {host_and_port(self.host, self.port)}", self.deadline)
        self._left, self._connecting = set(), True
        try:
            while error := self._failure():
                attempts.failed(error)
        finally:
            self._connecting = False
        self.server.credentials.accepted()

    def _failure(self) -> Exception | None:
        try:
            super().connect()
        except (AuthenticationError, AuthorizationError) as error:
            pause = self.server.credentials.pause_after_refusal(self.deadline)
            if pause is None:
                raise self.server.credentials.refusal(error)  # noqa: B904 -- mostly redis-py's own
            sleep(pause)
            return error
        except (ConnectionError, TimeoutError) as error:
            if "certificate verify failed" in str(error):
                raise
            return error
        return None

    def _connect(self) -> Any:
        return _Socket(super()._connect(), self)

    def check_health(self) -> None:
        """After a pause, ask once whether the connection lives: a flow that a network forgot looks alive."""
        pause = max(monotonic() - self._answered_at[0], time() - self._answered_at[1])
        if self._connecting or pause < CHECK_AFTER_SECONDS:
            return
        deadline, self.deadline = self.deadline, self.deadline.within(CHECK_TIMEOUT_SECONDS)
        executing, self._executing = self._executing, False
        try:
            self._send_ping()
        except (ConnectionError, TimeoutError) as error:
            self.disconnect()
            if executing or not self.is_clean:
                raise ConnectionError(_WATCH_LOST) from error
            self.connect()
        finally:
            self.deadline, self._executing = deadline, executing

    def send_command(self, *arguments: Any, **options: Any) -> None:
        self._executing = False
        self._note(arguments)
        # what redis-py's pipeline says before it gives its connection back, which it does only after a ConnectionError
        parting = arguments[:1] == ("UNWATCH",)
        if parting and not self._sock:
            raise ConnectionError(_WATCH_LOST)
        try:
            super().send_command(*arguments, **options)
        except (TimeoutError, ConnectionUnavailable) as error:
            if parting:
                raise ConnectionError(str(error)) from error
            raise
        self._parting = parting

    def pack_commands(self, commands: Iterable[tuple[Any, ...]]) -> list[bytes]:
        commands = list(commands)
        self._executing = self._parting = False
        for command in commands:
            self._note(command)
        return super().pack_commands(commands)

    def read_response(self, *arguments: Any, **options: Any) -> Any:
        started = monotonic()
        self._renew()
        try:
            response = super().read_response(*arguments, **options)
        except (ConnectionError, TimeoutError) as error:
            if self._executing:
                raise OutcomeUnknown(
                    f"redis at {host_and_port(self.host, self.port)}: the connection was lost before the answer to an "
                    f"EXEC came, so it is unknown whether it was applied; nothing is repeated: {error}"
                ) from error
            if not isinstance(error, TimeoutError):
                raise
            over = "; the invocation's time is over" if self.deadline.remaining() <= 0 else ""
            raise (ConnectionError if self._parting else TimeoutError)(
                f"redis at {host_and_port(self.host, self.port)}: no answer to a command within "
                f"{monotonic() - started:.1f} s{over}"
            ) from error
        except ReadOnlyError:
            # after a failover: the name leads to another server by now
            self._left.add("READONLY")
            raise
        self._answered_at = (monotonic(), time())
        return response

    def can_read(self, timeout: float = 0) -> bool:
        if timeout:
            self._renew()
        return super().can_read(timeout)

    def _renew(self) -> None:
        """Give a subscription, whose connection stays with it, another deadline when one is over."""
        if self.deadline.remaining() <= 0:
            self.deadline = self.server.deadline()

    def _note(self, command: tuple[Any, ...]) -> None:
        if self._connecting or not command:
            return
        first = command[0].decode() if isinstance(command[0], bytes) else str(command[0])
        name = first.partition(" ")[0].upper()
        # redis-py takes a lost answer for a changed key, and its transaction() would send all of it again
        self._executing = name == "EXEC" and "WATCH" in self._left
        if name in _STATEFUL:
            self._left.add(name)
        self._left -= _ENDED_BY.get(name, set())


class _Plain(_Bounded, _Reached):
    pass


class _Tls(_Bounded, SSLConnection, _Reached):
    def __init__(self, server: _Server, **options: Any) -> None:
        super().__init__(server, **options)
        self._own = any(name.startswith("ssl_") for name in options)

    def _wrap_socket_with_ssl(self, sock: socket.socket) -> ssl.SSLSocket:
        tls_ca = str(self.server.settings.tls_ca)
        if not self._own:
            return ssl_context(tls_ca).wrap_socket(sock, server_hostname=self.host)
        # redis-py by itself trusts the system's authorities beside the one that is named
        context = context_of_ones_own(tls_ca)
        for flag in self.ssl_include_verify_flags or ():
            context.verify_flags |= flag  # pyrefly: ignore
        if self.certfile or self.keyfile:
            context.load_cert_chain(self.certfile, self.keyfile, self.certificate_password)  # pyrefly: ignore
        if self.ssl_min_version is not None:
            context.minimum_version = self.ssl_min_version
        if self.ssl_ciphers:
            context.set_ciphers(self.ssl_ciphers)
        return context.wrap_socket(sock, server_hostname=self.host)


class Pool(BlockingConnectionPool):
    """As many connections as the budget counts; a command waits for one until its deadline."""

    def __init__(self, name: str | None, parallelism: int, arguments: dict[str, Any]) -> None:
        self._name = name
        self._settings = {key: arguments.pop(key) for key in _SETTINGS if key in arguments}
        self._server: _Server | None = None
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
        super().__init__(connection_class=Connection, max_connections=parallelism, **self._options)

    def _known(self) -> _Server:
        if self._server is None:
            self._server = _Server(Settings(self._name, {"engine": "redis", **self._settings}))
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
        options: dict[str, Any] = {
            **self._options,
            "host": settings.host or server.credentials.login(server.deadline()).host,
            "port": settings.port or DEFAULT_PORTS[settings.engine],
        }
        if settings.secret_arn or settings.password:
            options["credential_provider"] = None
        if settings.tls_ca is not None and any(name.startswith("ssl_") for name in options):
            options["ssl_ca_certs"] = ca_file(settings.tls_ca)
        self.connection_kwargs |= {name: options[name] for name in ("host", "port")}  # for who shows them
        connection = (_Plain if settings.tls_ca is None else _Tls)(server, **options)
        self._connections.append(connection)
        return connection

    def get_connection(self, *arguments: Any, **options: Any) -> Connection:
        server = self._known()
        server.begin()
        started = monotonic()
        try:
            return super().get_connection(*arguments, **options)
        except ConnectionError as error:
            if str(error) != "No connection available.":
                raise
            raise ConnectionError(
                f"redis: none of this environment's {self.max_connections} connections was free within "
                f"{monotonic() - started:.1f} s; parallelism= is their number"
            ) from error

    @property
    def timeout(self) -> float:
        """How long a command waits for a connection."""
        return max(0.0, self._known().deadline().remaining())

    @timeout.setter
    def timeout(self, seconds: float) -> None:
        pass  # redis-py's own default

    def release(self, connection: Connection) -> None:
        if isinstance(connection, _Bounded) and not connection.is_clean:
            connection.disconnect()
        super().release(connection)
