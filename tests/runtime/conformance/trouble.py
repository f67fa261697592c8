"""A network that misbehaves at a marked point: silence, a drip, a line that is cut, an answer that is late."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from servers import Server
    from typing_extensions import Self

DRIP_SECONDS = 0.5


class Fault(Enum):
    """What happens to a connection from the marked message on. Lost bytes are acknowledged by the kernel."""

    MESSAGE_LOST = auto()
    """The message and all that follows never arrive, and nothing comes back."""
    ANSWER_LOST = auto()
    """The message arrives, its answer and all that follows don't."""
    SILENT_AFTERWARDS = auto()
    """The message is answered (its answer in one piece), then nothing arrives any more."""
    HALF_AN_ANSWER = auto()
    """Of the answer the first 20,000 bytes arrive."""
    DRIP = auto()
    """The answer arrives a byte each half second."""
    CUT_BEFORE = auto()
    """The line is cut before the message arrives."""
    CUT_AFTER = auto()
    """The line is cut once the server has answered, and before the answer arrives."""
    NOT_READ = auto()
    """Nothing is read from the client any more, so that its sends fill the buffers and block."""


@dataclass
class _Line:
    """One connection through the network."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    fault: Fault | None = None
    answered: int = 0
    due: float = 0.0
    """When the last of what is late arrives."""
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def cut(self) -> None:
        for end in (self.client, self.server):
            with contextlib.suppress(OSError):
                # a reset, not a farewell
                end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.close()


class Trouble:
    """Forward connections to a server, as `fault` says.

    Parameters
    ----------
    server
        Where connections lead to.
    host, port
        Where it listens; default: a free port.

    Attributes
    ----------
    delay
        Seconds that each answer takes on its way.
    struck
        The message at which the last fault happened.
    """

    def __init__(self, server: Server, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.host = host
        self.port = port
        self.delay = 0.0
        self._server = server
        self._marker = b""
        self._fault: Fault | None = None
        self._times = 0
        self._passing = 0
        self.connections = 0
        self.strikes = 0
        self.struck = b""
        self._lines: list[_Line] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def settings(self) -> dict[str, Any]:
        """Return the server's settings, with this network in between."""
        return self._server.settings | {"host": self.host, "port": self.port}

    def at(self, marker: str, fault: Fault, *, times: int = 1, passing: int = 0) -> None:
        """Let a fault happen to the connections on which a message with these characters is sent next.

        Parameters
        ----------
        marker
            Part of a statement; "" is the connection's first message.
        fault
            What happens then.
        times
            On how many connections, before all is well again.
        passing
            How many messages with these characters pass before.
        """
        # the network's thread looks at `_times` first
        self._times = 0
        self._marker, self._fault, self._passing = marker.encode(), fault, passing
        self._times = times

    def black_hole(self) -> None:
        """Lose whatever is sent on the connections that exist now; new ones pass."""
        for line in self._lines:
            line.fault = Fault.MESSAGE_LOST

    def cut(self) -> None:
        """Cut the lines that exist now."""
        for line in self._lines:
            self._loop.call_soon_threadsafe(line.cut)

    def __enter__(self) -> Self:
        self._thread.start()
        self._listener = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._accept, self.host, self.port, limit=1 << 22), self._loop
        ).result()
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        async def end() -> None:
            self._listener.close()
            for line in self._lines:
                line.cut()
                for task in line.tasks:
                    task.cancel()
                await asyncio.gather(*line.tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            back, server = await asyncio.open_connection(self._server.host, self._server.port, limit=1 << 22)
        except OSError:
            writer.close()
            return
        line = _Line(writer, server)
        if (
            self._times
            and self._marker == b""
            and not self._passing
            and self._fault in (Fault.MESSAGE_LOST, Fault.CUT_BEFORE)
        ):
            # a server that speaks first is silent from the beginning
            self._strike(line)
        self._lines.append(line)
        line.tasks = [
            asyncio.create_task(self._forward(line, reader)),
            asyncio.create_task(self._back(line, back)),
        ]

    def _strike(self, line: _Line, message: bytes = b"") -> None:
        line.fault, line.answered = self._fault, 0
        self.struck = message
        self._times -= 1
        self.strikes += 1

    async def _forward(self, line: _Line, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            # a reset is the client's end, too
            with contextlib.suppress(OSError):
                await self._pass_on(line, reader)
            if line.fault in (None, Fault.DRIP):
                line.server.close()

    async def _pass_on(self, line: _Line, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(1 << 16):
            if line.fault is None and self._times and self._marker in data:
                if self._passing:
                    self._passing -= 1
                else:
                    self._strike(line, data)
            if line.fault is Fault.CUT_BEFORE:
                line.cut()
                return
            if line.fault is Fault.NOT_READ:
                await asyncio.Event().wait()
            if line.fault is Fault.MESSAGE_LOST or (line.fault is Fault.SILENT_AFTERWARDS and line.answered):
                continue
            line.server.write(data)
            await line.server.drain()

    async def _back(self, line: _Line, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):
            while data := await reader.read(1 << 16):
                if line.fault is Fault.CUT_AFTER:
                    line.cut()
                    return
                if line.fault in (Fault.MESSAGE_LOST, Fault.ANSWER_LOST):
                    continue
                if line.fault is Fault.SILENT_AFTERWARDS:
                    if line.answered:
                        continue
                    line.answered = 1
                if line.fault is Fault.HALF_AN_ANSWER:
                    data = data[: 20_000 - line.answered]
                    line.answered += len(data)
                if line.fault is Fault.DRIP:
                    for number in data:
                        line.client.write(bytes([number]))
                        await asyncio.sleep(DRIP_SECONDS)
                    continue
                if self.delay or self._loop.time() < line.due:
                    self._late(line, data)
                    continue
                line.client.write(data)
                await line.client.drain()
            if line.fault in (None, Fault.DRIP):
                self._loop.call_at(line.due + 0.001, line.client.close)

    def _late(self, line: _Line, data: bytes) -> None:
        """Deliver it after the delay; what comes behind it is not later for that."""

        def arrive() -> None:
            if line.fault in (None, Fault.DRIP):
                line.client.write(data)

        line.due = max(line.due + 0.0001, self._loop.time() + self.delay)
        self._loop.call_at(line.due, arrive)


class SilentAddress:
    """A listening socket that answers no new connection, as a host behind a firewall that drops packets.

    Its queue of accepted connections is full, and Linux drops the SYN of further ones.
    """

    def __init__(self, host: str, port: int) -> None:
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((host, port))
        self._listener.listen(0)
        self._fillers: list[socket.socket] = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex((host, port))
            self._fillers.append(filler)

    def close(self) -> None:
        """Stop."""
        for one in [*self._fillers, self._listener]:
            one.close()
