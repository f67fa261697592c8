"""A socket every wait of which ends at a deadline, and how it is connected: addresses one by one."""

from __future__ import annotations

import io
import socket
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any

from breakwater_runtime._core.liveness import TCP_USER_TIMEOUT_SECONDS

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable
    from typing import TypeVar

    from breakwater_runtime._core.resolver import Addresses

    Result = TypeVar("Result")

# A farewell or a mark is sent if the network takes it; nobody waits for it
COURTESY_SECONDS = 0.2
_BUFFER_BYTES = 65536
# An answer that goes on and on has ended then all the same
_READS_TOO_LATE = 16
AT_HAND_SECONDS = 0.001


class LateReads:
    """A process that stood still over its deadline takes what has come meanwhile: perhaps the answer to a COMMIT."""

    def __init__(self) -> None:
        self._count = 0

    def allow(self, left: float) -> bool:
        """Tell whether a read with so many seconds left is one that takes what is at hand."""
        self._count = self._count + 1 if left <= 0 else 0
        return 0 < self._count <= _READS_TOO_LATE


class Line:
    """A TCP connection, in TLS or not.

    Attributes
    ----------
    target
        "host:port", for messages.
    place
        What is waited for, for messages.
    ends_at
        When all waiting ends, by the monotonic clock.
    longest_wait
        The user's own limit of a single wait, None without one.
    """

    def __init__(self, target: str, ends_at: float, longest_wait: float | None = None) -> None:
        self.target = target
        self.place = "connect"
        self.ends_at = ends_at
        self.longest_wait = longest_wait
        self._socket: socket.socket | None = None
        self._late_reads = LateReads()

    async def connect(self, addresses: Addresses, bind_address: str | None = None) -> None:
        """Connect to the first of a name's addresses that answers."""
        try:
            self._socket = await connected(addresses, self._left, bind_address=bind_address)
        except TimeoutError as error:
            raise self._timed_out(error.strerror) from None

    def secure(self, context: ssl.SSLContext, host: str | None) -> None:
        """Go on in TLS."""
        plain, place = self._open(), self.place
        self.place = "TLS"
        self._socket = self._in_time(lambda: context.wrap_socket(plain, server_hostname=host))
        self.place = place

    def makefile(self, _mode: str = "rb") -> io.BufferedReader:
        """Make what the driver reads from."""
        return io.BufferedReader(_Incoming(self), _BUFFER_BYTES)

    def receive(self, buffer: Any) -> int:
        """Wait for bytes."""
        is_late = self._late_reads.allow(self.ends_at - monotonic())
        return self._within(AT_HAND_SECONDS if is_late else self._left(), self._open().recv_into, buffer)

    def sendall(self, data: bytes | bytearray) -> None:
        """Send."""
        self._in_time(sent, self._open(), data)

    def send_as_courtesy(self, data: bytes | bytearray) -> None:
        """Send if that needs no waiting to speak of."""
        one = self._open()
        one.settimeout(COURTESY_SECONDS)
        one.sendall(data)

    def fileno(self) -> int:
        """Return the socket's number."""
        return self._open().fileno()

    def close(self) -> None:
        """Close."""
        one, self._socket = self._socket, None
        if one is not None:
            one.close()

    def settimeout(self, seconds: float | None) -> None:
        """Leave the timeouts to the deadline, whatever the driver says."""

    def _open(self) -> socket.socket:
        if self._socket is None:
            raise OSError(f"the connection to {self.target} is closed")
        return self._socket

    def _in_time(self, call: Callable[..., Result], *arguments: Any) -> Result:
        return self._within(self._left(), call, *arguments)

    def _within(self, seconds: float, call: Callable[..., Result], *arguments: Any) -> Result:
        self._open().settimeout(seconds)
        try:
            return call(*arguments)
        except TimeoutError as error:
            # what a network that acknowledges nothing is called by the kernel, long before the deadline
            raise self._timed_out(error.strerror) from None

    def _left(self) -> float:
        left = self.ends_at - monotonic()
        if left <= 0:
            raise self._timed_out()
        return left if self.longest_wait is None else min(left, self.longest_wait)

    def _timed_out(self, reason: str | None = None) -> TimeoutError:
        if reason is None:
            own_limit = self.longest_wait is not None and self.ends_at - monotonic() > 0
            reason = f"no answer within {self.longest_wait:g} s" if own_limit else "no answer in time"
        return TimeoutError(f"{self.place} at {self.target}: {reason}")


class _Incoming(io.RawIOBase):
    def __init__(self, line: Line) -> None:
        self._line = line

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._line.receive(buffer)


def sent(one: socket.socket, data: bytes | bytearray) -> None:
    """Send all of it, or raise what the other side has said before it ended.

    With TLS 1.3, a server that refuses the client's certificate says so when the handshake is over for the client.
    """
    try:
        one.sendall(data)
    except TimeoutError:
        raise
    except OSError:
        one.settimeout(COURTESY_SECONDS)
        with suppress(TimeoutError):
            one.recv(1)
        raise


async def _connect(one: socket.socket, address: Any, seconds: float) -> None:
    one.settimeout(seconds)
    one.connect(address)


async def connected(
    addresses: Addresses,
    seconds_left: Callable[[], float],
    connect: Callable[[socket.socket, Any, float], Awaitable[None]] = _connect,
    bind_address: str | None = None,
) -> socket.socket:
    """Connect to the first of a name's addresses that answers; each gets its part of the time."""
    for index, (family, kind, protocol, _, address) in enumerate(addresses):
        one = prepared(socket.socket(family, kind, protocol))
        try:
            if bind_address:
                one.bind((bind_address, 0))
            await connect(one, address, seconds_left() / (len(addresses) - index))
        except BaseException as error:
            one.close()
            if isinstance(error, OSError) and index + 1 < len(addresses):
                continue
            raise
        return one
    raise OSError("no address answered")


def prepared(one: socket.socket) -> socket.socket:
    """Set what a socket to a database needs."""
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, TCP_USER_TIMEOUT_SECONDS)
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, TCP_USER_TIMEOUT_SECONDS)
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, TCP_USER_TIMEOUT_SECONDS * 1000)
    return one
