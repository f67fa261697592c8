"""An endpoint that speaks as AWS does, for boto clients: real requests over loopback, answers given by the test."""

from __future__ import annotations

import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

    Answer = Callable[[str, dict[str, Any]], tuple[int, dict[str, Any]]]


class _Server(ThreadingHTTPServer):
    request_queue_size = 1024
    daemon_threads = True
    connections = 0

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        request = super().get_request()
        self.connections += 1
        return request


class AwsEndpoint:
    """Answer each request with what `answer(operation, body)` returns: a status and a JSON object."""

    def __init__(self, answer: Answer, *, delay: float = 0.0) -> None:
        self.requests: list[tuple[str, dict[str, Any]]] = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self._respond()

            def do_GET(self) -> None:
                self._respond()

            def _respond(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                if len(body) < length:
                    return  # broken off: no request
                operation = (self.headers.get("X-Amz-Target") or self.path).rpartition(".")[2].lstrip("/")
                request = json.loads(body) if body else {}
                endpoint.requests.append((operation, request))
                time.sleep(delay)
                status, response = answer(operation, request)
                content = json.dumps(response).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/x-amz-json-1.1")
                self.send_header("Content-Length", str(len(content)))
                if "__type" in response:
                    self.send_header("x-amzn-ErrorType", response["__type"])
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the base's own name
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def connections(self) -> int:
        """How many connections were opened."""
        return self._server.connections

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
