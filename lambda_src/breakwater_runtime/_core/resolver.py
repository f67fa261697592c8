"""Names to addresses, in time: `getaddrinfo` itself waits for the network's resolver as long as that likes."""

from __future__ import annotations

import os
import socket
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from breakwater_runtime._core.session import Waker
    from breakwater_runtime.deadline import Deadline

    Addresses = Sequence[tuple[int, int, int, str, Any]]
    """As `socket.getaddrinfo` returns them."""

# glibc's resolver waits 5 s, twice; it reads this at the first look-up (resolv.conf(5)), so that the thread of one
# that nobody answers ends soon
os.environ.setdefault("RES_OPTIONS", "timeout:1 attempts:2")


class _LookUp:
    """One look-up, in a thread that ends with it."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._lock = threading.RLock()  # a signal handler may ask for the same name
        self._waiting: list[Callable[[], None]] = []
        self._found: Addresses | OSError | None = None
        threading.Thread(target=self._look_up, daemon=True).start()

    def _look_up(self) -> None:
        try:
            found: Addresses | OSError = socket.getaddrinfo(self._host, self._port, 0, socket.SOCK_STREAM)
        except OSError as error:
            found = error
        except UnicodeError as error:
            found = OSError(f"{self._host!r} is no name: {error}")
        with self._lock:
            self._found = found
        _running.pop((self._host, self._port), None)
        for wake in self._waiting:
            wake()

    def tell(self, wake: Callable[[], None]) -> None:
        """Call it once the answer is there."""
        with self._lock:
            if self._found is None:
                self._waiting.append(wake)
                return
        wake()

    def addresses(self) -> Addresses:
        """Return what was found, or raise why nothing was."""
        found = self._found
        if isinstance(found, OSError):
            raise found
        if not found:
            raise OSError(f"{self._host} has no address")
        return found


_running: dict[tuple[str, int], _LookUp] = {}
"""A name that nobody resolves keeps one thread, however often it is asked for."""
# the child of a fork has none of the threads
os.register_at_fork(after_in_child=_running.clear)


async def resolved(waker: Callable[[], Waker], host: str, port: int, deadline: Deadline) -> Addresses:
    """Return a host's addresses.

    Raises
    ------
    OSError
        There is no such name; TimeoutError: nobody has said so until the deadline.
    """
    try:
        # an address needs no resolver
        return socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)
    except (socket.gaierror, UnicodeError):
        pass
    look_up = _running.get((host, port))
    if look_up is None:
        look_up = _running[host, port] = _LookUp(host, port)
    woken = waker()
    look_up.tell(woken.set)
    if not await woken.wait(deadline.remaining()):
        raise TimeoutError(f"resolving {host}: no answer in time")
    return look_up.addresses()
