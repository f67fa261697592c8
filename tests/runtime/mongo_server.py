"""A server that speaks MongoDB's wire protocol, as far as the tests need: there is no mongod to install here."""

from __future__ import annotations

import socket
import socketserver
import struct
import threading
import time
from typing import TYPE_CHECKING, Any

import bson

if TYPE_CHECKING:
    from typing_extensions import Self

_OP_MSG, _OP_QUERY, _OP_REPLY = 2013, 2004, 1


class _Tcp(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


class _Tcp6(_Tcp):
    address_family = socket.AF_INET6


class MongoServer:
    """Answers hello, ping, insert, find and change streams; counts connections and remembers documents.

    Attributes
    ----------
    transient
        Every insert fails as one of a transaction that a replica set ends, if it is asked as a member of such a set.
    """

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.connections = 0
        self.peak = 0
        self.documents: list[dict[str, Any]] = []
        self.commands: list[str] = []
        self.silent = False
        self.transient = False
        self._lock = threading.Lock()
        server = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                server._count(1)
                try:
                    while message := server._read(self.request):
                        while server.silent:
                            time.sleep(0.05)
                        self.request.sendall(server._reply(*message))
                except OSError:
                    pass
                finally:
                    server._count(-1)

        self._tcp = (_Tcp6 if ":" in host else _Tcp)((host, 0), Handler)
        self.host, self.port = host, self._tcp.server_address[1]
        self._thread = threading.Thread(target=self._tcp.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._tcp.shutdown()
        self._tcp.server_close()

    def _count(self, change: int) -> None:
        with self._lock:
            self.connections += change
            self.peak = max(self.peak, self.connections)

    @staticmethod
    def _read(connection: Any) -> tuple[int, int, bytes] | None:
        header = _exactly(connection, 16)
        if header is None:
            return None
        length, request_id, _, operation = struct.unpack("<iiii", header)
        body = _exactly(connection, length - 16)
        return None if body is None else (operation, request_id, body)

    def _reply(self, operation: int, request_id: int, body: bytes) -> bytes:
        if operation == _OP_QUERY:
            # the first hello of a driver that doesn't know the server yet
            content = struct.pack("<iqii", 8, 0, 0, 1) + bson.encode(self._hello())
            return struct.pack("<iiii", 16 + len(content), 0, request_id, _OP_REPLY) + content
        content = struct.pack("<i", 0) + b"\0" + bson.encode(self._answer(*_sections(body)))
        return struct.pack("<iiii", 16 + len(content), 0, request_id, _OP_MSG) + content

    def _hello(self) -> dict[str, Any]:
        me = f"{self.host}:{self.port}"
        replica_set = {"setName": "rs0", "hosts": [me], "me": me, "setVersion": 1, "logicalSessionTimeoutMinutes": 30}
        return (replica_set if self.transient else {}) | {
            "ok": 1,
            "helloOk": True,
            "isWritablePrimary": True,
            "ismaster": True,
            "maxBsonObjectSize": 16777216,
            "maxMessageSizeBytes": 48000000,
            "maxWriteBatchSize": 100000,
            "minWireVersion": 0,
            "maxWireVersion": 21,
            "readOnly": False,
        }

    def _answer(self, command: dict[str, Any], documents: list[dict[str, Any]]) -> dict[str, Any]:
        name = next(iter(command))
        if name in ("hello", "ismaster", "isMaster"):
            return self._hello()
        self.commands.append(name)
        if name == "insert" and self.transient:
            labels = ["TransientTransactionError"]
            return {"ok": 0, "code": 112, "codeName": "WriteConflict", "errmsg": "conflict", "errorLabels": labels}
        if name == "insert":
            self.documents += documents
            return {"ok": 1, "n": len(documents)}
        if name == "find":
            return {"ok": 1, "cursor": {"id": 0, "ns": "shop.orders", "firstBatch": self.documents}}
        if name in ("aggregate", "getMore"):
            batch = "firstBatch" if name == "aggregate" else "nextBatch"
            time.sleep(0.1)
            cursor: dict[str, Any] = {
                "id": bson.Int64(7),
                "ns": "shop.orders",
                batch: [],
                "postBatchResumeToken": {"_data": "0"},
            }
            return {"ok": 1, "cursor": cursor}
        return {"ok": 1}


def _sections(body: bytes) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    command: dict[str, Any] = {}
    documents: list[dict[str, Any]] = []
    position = 4
    while position < len(body):
        kind, position = body[position], position + 1
        size = struct.unpack_from("<i", body, position)[0]
        section = body[position : position + size]
        if kind == 0:
            command = bson.decode(section)
        else:
            documents += bson.decode_all(section[section.index(b"\0", 4) + 1 :])
        position += size
    return command, documents + command.get("documents", [])


def _exactly(connection: Any, length: int) -> bytes | None:
    content = b""
    while len(content) < length:
        received = connection.recv(length - len(content))
        if not received:
            return None
        content += received
    return content
