"""Reading the server's answer to one command: where it ends, and what its flags say.

Both Python drivers throw the flags of a result's last packet away, though they tell whether a transaction is open.
MySQL Reference Manual, "Client/Server Protocol": OK_Packet, EOF_Packet, Text Resultset.
"""

from __future__ import annotations

import struct

MORE_RESULTS = 0x0008
SESSION_STATE_CHANGED = 0x4000
_OK, _LOCAL_FILE, _EOF = 0x00, 0xFB, 0xFE
# types of a session's changes
_TRACK_STATE_CHANGE, _TRACK_TRANSACTION_STATE = 2, 5
# the place of "non-transactional write" in a transaction's state
_WRITTEN = 3

DONE, START, COLUMNS, ROWS = range(4)


class Answer:
    """The answer to one command.

    Attributes
    ----------
    stage
        Where the reader stands; DONE: nothing more comes.
    status
        The flags of the last result that ended.
    changed
        Whether the server reported a change of the session's state.
    written
        Whether the server reported a write to a table without transactions.
    """

    __slots__ = ("_own", "changed", "stage", "status", "written")

    def __init__(self) -> None:
        self.stage = DONE
        self.status = 0
        self.changed = self.written = self._own = False

    def begin(self, *, own: bool) -> None:
        """Expect an answer; nobody wants to know what a command of the runtime's own has changed."""
        self.stage = START
        self.changed = self.written = False
        self._own = own

    def feed(self, packet: bytes) -> bool:
        """Note a packet; tell whether a result ends with it."""
        first = packet[0]
        if first == _EOF and len(packet) < 9:
            if self.stage == COLUMNS:
                self.stage = ROWS
                return False
            self._end(struct.unpack_from("<H", packet, 3)[0])
            return True
        if self.stage == START:
            if first == _OK:
                self._read_ok(packet)
                return True
            if first != _LOCAL_FILE:
                self.stage = COLUMNS
        return False

    def _end(self, status: int) -> None:
        self.status = status
        self.stage = START if status & MORE_RESULTS else DONE

    def _read_ok(self, packet: bytes) -> None:
        place = 3
        if packet[1] or packet[2]:
            _, place = _number(packet, 1)
            _, place = _number(packet, place)
        (status,) = struct.unpack_from("<H", packet, place)
        self._end(status)
        if self._own or not status & SESSION_STATE_CHANGED:
            return
        length, place = _number(packet, place + 4)
        end, place = _number(packet, place + length)
        end += place
        while place < end:
            kind = packet[place]
            length, place = _number(packet, place + 1)
            value = packet[place : place + length]
            place += length
            if kind == _TRACK_TRANSACTION_STATE:
                self.written = self.written or value[1 + _WRITTEN : 2 + _WRITTEN] == b"w"
            elif kind == _TRACK_STATE_CHANGE:
                self.changed = self.changed or value.endswith(b"1")


def _number(packet: bytes, place: int) -> tuple[int, int]:
    """Read a length-encoded integer; return it and the place behind it."""
    first = packet[place]
    if first < 0xFB:
        return first, place + 1
    size = {0xFC: 2, 0xFD: 3, 0xFE: 8}[first]
    return int.from_bytes(packet[place + 1 : place + 1 + size], "little"), place + 1 + size
