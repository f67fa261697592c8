"""The handler, against a provider that says what it is told to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, cast

import labels
import pytest

from breakwater_runtime import RetryAfter, testing


class Provider(HTTPServer):
    status = 200
    orders: list[bytes]

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.orders = []


class Answer(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        provider = cast("Provider", self.server)
        provider.orders.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(provider.status)
        self.send_header("Retry-After", "30")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- its name there
        """Say nothing."""


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    with Provider() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("PROVIDER", f"http://127.0.0.1:{server.server_port}/labels")
        yield server
        server.shutdown()


def test_one_order_is_one_call(provider: Provider) -> None:
    labels.handler(testing.quota_event({"order": 7}), testing.context())
    assert provider.orders == [b'{"order": 7}']


def test_a_provider_that_has_had_enough_is_left_alone(provider: Provider) -> None:
    provider.status = 429
    with pytest.raises(RetryAfter, match="30"):
        labels.handler(testing.quota_event({"order": 7}), testing.context())


def test_an_order_that_it_does_not_take_has_failed(provider: Provider) -> None:
    provider.status = 400
    with pytest.raises(Exception, match="400"):
        labels.handler(testing.quota_event({"order": 0}), testing.context())
