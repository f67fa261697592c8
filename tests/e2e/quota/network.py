"""What lies between a function and its account: requests are late, doubled or refused, and answers are lost."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

import urllib3

from tests.e2e.quota.loopback import LoopbackServer, QuietHandler

if TYPE_CHECKING:
    from types import TracebackType

LATE = 1.2
"""Seconds: a dispatcher writes each half a second."""
EVERY = 9
"""One request of so many of a kind meets with trouble; of those to SQS, which are few, each second one."""
REFUSAL = b'{"__type": "ThrottlingException", "message": "slow down"}'
INVOKE = "Invoke"
TROUBLE = ("late", "lost", "refused", "doubled")


class FaultyNetwork(LoopbackServer):
    """Stands before an emulated account, for as long as the block lasts.

    Parameters
    ----------
    account
        URL of the account.

    Attributes
    ----------
    met
        How many requests of a kind met with a trouble.
    """

    def __init__(self, account: str) -> None:
        self.met: Counter[tuple[str, str]] = Counter()
        self._seen: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._pool = urllib3.PoolManager(maxsize=32, retries=False)
        network = self

        class Handler(QuietHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:  # noqa: N802 -- http.server calls it by this name
                body = self.rfile.read(int(self.headers["Content-Length"]))
                trouble = network._trouble(self.headers.get("X-Amz-Target", INVOKE))
                if trouble == "refused":
                    self._answer(429 if "X-Amz-Target" not in self.headers else 400, {}, REFUSAL)
                    return
                if trouble == "late":
                    time.sleep(LATE)
                if trouble == "doubled":
                    self._forward(body)
                answer = self._forward(body)
                if trouble == "lost":
                    self.close_connection = True
                    return
                self._answer(answer.status, dict(answer.headers), answer.data)

            def _forward(self, body: bytes) -> urllib3.BaseHTTPResponse:
                return network._pool.request(
                    "POST", account + self.path, body=body, headers=dict(self.headers), decode_content=False
                )

            def _answer(self, status: int, headers: dict[str, str], data: bytes) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    if name.lower().startswith(("x-amz", "content-type")):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        super().__init__(Handler)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        super().__exit__(kind, error, at)
        self._pool.clear()

    def _trouble(self, target: str) -> str:
        kind = target.rpartition(".")[2]
        with self._lock:
            number = self._seen[kind]
            self._seen[kind] += 1
            every = 2 if target.startswith("AmazonSQS") else EVERY
            if number % every != every // 2:
                return ""
            # Lambda doesn't run an invocation twice that a client waits for.
            possible = TROUBLE[:-1] if kind == INVOKE else TROUBLE
            trouble = possible[number // every % len(possible)]
            self.met[kind, trouble] += 1
        return trouble
