"""What a line says of a wait that the kernel has ended."""

from __future__ import annotations

import socket
from time import monotonic

import pytest

from breakwater_runtime._core.line import Line
from breakwater_runtime._core.session import now
from tests.runtime.waiting import Stopwatch


def test_a_network_that_takes_nothing_is_not_called_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        line = Line("the database", monotonic() + 20)
        now(line.connect(socket.getaddrinfo(*address, type=socket.SOCK_STREAM)))
        with socket.socket(fileno=socket.dup(line.fileno())) as one:
            # instead of 10 s
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 300)
        watch = Stopwatch()
        with pytest.raises(TimeoutError, match=r"^connect at the database: Connection timed out$"):
            # nobody reads it
            line.sendall(bytes(50_000_000))
        assert watch.seconds < 10
        line.close()
