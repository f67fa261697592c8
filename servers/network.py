"""A network between client and server that can lose a connection's packets without a word, as NAT gateways do."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self

    from servers.server import Server


class Network:
    """Forward connections to a server; `black_hole()` swallows those that exist, without a reset.

    The swallowed bytes are acknowledged by this machine's kernel, so a client sees silence, not a failed send.
    """

    def __init__(self, server: Server) -> None:
        self.host = "127.0.0.1"
        self._target = (server.host, server.port)
        self._listener = socket.create_server((self.host, 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._wake, self._waker = socket.socketpair()
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._peers: dict[socket.socket, socket.socket] = {}
        self._lost: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._waker.send(b"x")
        self._thread.join()
        for end in [*self._peers, self._listener, self._wake, self._waker]:
            end.close()
        self._selector.close()

    def black_hole(self) -> None:
        """Lose every packet of the connections that exist now; new ones pass."""
        with self._lock:
            self._lost |= set(self._peers)

    def point_to(self, server: Server) -> None:
        """Send new connections to another server, as an address that changed."""
        with self._lock:
            self._target = (server.host, server.port)

    def _run(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._wake:
                    return
                if key.fileobj is self._listener:
                    self._accept()
                else:
                    self._forward(key.fileobj)  # pyrefly: ignore

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        try:
            server = socket.create_connection(self._target, timeout=2)
        except OSError:
            client.close()
            return
        for one, other in ((client, server), (server, client)):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._peers[one] = other
            self._selector.register(one, selectors.EVENT_READ)

    def _forward(self, source: socket.socket) -> None:
        peer = self._peers.get(source)
        if peer is None:
            return
        try:
            data = source.recv(65536)
        except OSError:
            data = b""
        with self._lock:
            lost = source in self._lost
        if lost and data:
            return
        if data:
            with contextlib.suppress(OSError):
                peer.sendall(data)
                return
        self._selector.unregister(source)
        if lost:
            # the other side never hears of it
            return
        self._selector.unregister(peer)
        for end in (source, peer):
            del self._peers[end]
            end.close()
