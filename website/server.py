"""The built site on a loopback port, for `make docs-serve` and for the tests' browser."""

from __future__ import annotations

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class _Quiet(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # one connection for many files

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Log nothing: a browser asks for a dozen files a page."""


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore a browser that leaves a page before all of it has come."""


def listen(site: Path, port: int = 0) -> ThreadingHTTPServer:
    """Listen on 127.0.0.1 for the files of the folder; port 0 takes one that is free."""
    return _Server(("127.0.0.1", port), partial(_Quiet, directory=str(site)))
