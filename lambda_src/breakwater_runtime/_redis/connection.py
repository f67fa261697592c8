"""One connection: ended by the deadline, and without another command's state."""

from __future__ import annotations

import socket
from math import inf
from time import monotonic, sleep, time
from typing import TYPE_CHECKING, Any

from redis.connection import Connection
from redis.credentials import CredentialProvider
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    ConnectionError,  # noqa: A004
    ReadOnlyError,
    TimeoutError,  # noqa: A004
)

from breakwater_runtime._core.line import AT_HAND_SECONDS, LateReads, connected, sent
from breakwater_runtime._core.liveness import CHECK_AFTER_SECONDS, CHECK_TIMEOUT_SECONDS
from breakwater_runtime._core.resolver import resolved
from breakwater_runtime._core.session import Waker, now
from breakwater_runtime._core.trouble import is_refused_in_tls
from breakwater_runtime.environment import host_and_port
from breakwater_runtime.errors import ConnectionUnavailable, OutcomeUnknown
from breakwater_runtime.retry import Attempts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from breakwater_runtime._redis.server import Server
    from breakwater_runtime.deadline import Deadline

# Commands that change what the next one on the same connection means, and those that end it.
_STATEFUL = {"ASKING", "AUTH", "CLIENT", "HELLO", "MONITOR", "MULTI", "READONLY", "RESET", "SELECT", "WATCH"}
_ENDED_BY = {"EXEC": {"MULTI", "WATCH"}, "DISCARD": {"MULTI", "WATCH"}, "UNWATCH": {"WATCH"}}
_WATCH_LOST = "the connection is lost, and what was set on it with it, as by WATCH"


class _Login(CredentialProvider):
    """Asked on connecting, not before."""

    def __init__(self, server: Server, connection: Bounded) -> None:
        self._server = server
        self._connection = connection

    def get_credentials(self) -> tuple[str, str] | tuple[str]:
        login = self._server.credentials.login(self._connection.deadline)
        return (login.user, login.password) if login.user else (login.password,)


class _Socket:
    """A socket whose every wait ends at a deadline, also when an answer comes byte by byte."""

    def __init__(self, plain: Any, connection: Bounded) -> None:
        self._plain = plain
        self._connection = connection
        self._timeout: float | None = connection.socket_timeout
        self._late_reads = LateReads()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._plain, name)

    def settimeout(self, seconds: float | None) -> None:
        self._timeout = seconds

    def recv(self, size: int) -> bytes:
        self._bound_read()
        return self._plain.recv(size)

    def recv_into(self, *arguments: Any) -> int:
        self._bound_read()
        return self._plain.recv_into(*arguments)

    def sendall(self, data: bytes) -> None:
        self._bound()
        sent(self._plain, data)

    def _bound_read(self) -> None:
        waits = self._timeout != 0
        if self._late_reads.allow(self._connection.deadline.remaining() if waits else inf):
            self._plain.settimeout(AT_HAND_SECONDS)
        else:
            self._bound()

    def _bound(self) -> None:
        left = self._connection.deadline.remaining()
        if self._timeout is not None:
            left = min(left, self._timeout)
        if left <= 0 and self._timeout != 0:
            raise socket.timeout  # noqa: UP041 -- what redis-py expects
        self._plain.settimeout(max(0.0, left))


class Reached(Connection):
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


class Bounded(Connection):
    """A connect that is repeated until the deadline; what follows it never is: an INCR would count twice."""

    server: Server
    deadline: Deadline

    def __init__(self, server: Server, **options: Any) -> None:
        self.server = server
        self.deadline = server.deadline()
        self._answered_at = (monotonic(), time())
        self._left: set[str] = set()
        self._connecting = self._parting = self._executing = self._asking = False
        if "credential_provider" in options:
            options["credential_provider"] = _Login(server, self)
        super().__init__(**options)

    @property
    def target(self) -> str:
        """What messages call it."""
        return f"redis at {host_and_port(self.host, self.port)}"

    @property
    def is_clean(self) -> bool:
        """Whether nothing is left that the next command would feel."""
        return not self._left

    def connect(self) -> None:
        self.deadline = self.server.deadline()
        if getattr(self, "_sock", None):
            return
        self._look_where()
        attempts = Attempts(self.target, self.deadline)
        self._left, self._connecting = set(), True
        try:
            while error := self._failure():
                attempts.failed(error)
                self._look_where()
        finally:
            self._connecting = False
        self.server.credentials.accepted()

    def _look_where(self) -> None:
        login = self.server.credentials.login(self.deadline)
        self.host, self.port = login.host, login.port

    def _failure(self) -> Exception | None:
        try:
            super().connect()
        except (AuthenticationError, AuthorizationError) as error:
            pause = self.server.credentials.pause_after_refusal(self.deadline)
            if pause is None:
                raise self.server.credentials.refusal(error)  # noqa: B904 -- mostly redis-py's own
            sleep(pause)
            # another secret may lead elsewhere
            self._look_where()
            return self._failure()
        except (ConnectionError, TimeoutError) as error:
            if is_refused_in_tls(error):
                raise
            self.server.credentials.unreachable()
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
            self._ask()
        except (ConnectionError, TimeoutError) as error:
            self.disconnect()
            if executing or not self.is_clean:
                raise ConnectionError(_WATCH_LOST) from error
            self.connect()
        finally:
            self.deadline, self._executing = deadline, executing

    def _ask(self) -> None:
        self._asking = True
        try:
            self._send_ping()
        finally:
            self._asking = False

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

    def send_packed_command(self, *arguments: Any, **options: Any) -> None:
        try:
            super().send_packed_command(*arguments, **options)
        except TimeoutError as error:
            raise TimeoutError(f"{self.target}: a command could not be sent{self._over()}") from error

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
                    f"{self.target}: the connection was lost before the answer to an EXEC came, so it is unknown "
                    f"whether it was applied; nothing is repeated: {error}"
                ) from error
            if not isinstance(error, TimeoutError):
                raise
            raise (ConnectionError if self._parting else TimeoutError)(
                f"{self.target}: no answer to a command within {monotonic() - started:.1f} s{self._over()}"
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

    def _over(self) -> str:
        return "; the invocation's time is over" if self.deadline.remaining() <= 0 else ""

    def _renew(self) -> None:
        """Give a subscription, whose connection stays with it, another deadline when one is over."""
        if not self._asking and self.deadline.remaining() <= 0:
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
