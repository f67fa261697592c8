"""A burst: orders through the queue and requests to the API, both at once, and what became of each."""

from __future__ import annotations

import json
import random
import time
import uuid
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import urllib3

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from demo.emulator import Emulator

Order = dict[str, Any]

PRODUCTS = ("BUOY", "CLEAT", "FENDER", "LANTERN", "ROPE", "SEXTANT")
REPEATED = 20  # one order in so many is sent twice: queues deliver at least once, and so do producers
BATCH = 10  # the most that SendMessageBatch takes
SENDERS = 4
REQUESTS_AT_ONCE = 100
REQUEST_TIMEOUT_SECONDS = 29  # API Gateway's own


def make_orders(count: int, seed: int = 0) -> list[Order]:
    """Make up orders; the same seed makes the same ones."""
    chance = random.Random(seed)  # noqa: S311 -- nothing secret
    start = datetime(2026, 11, 27, 8, 0, tzinfo=timezone.utc)
    return [
        {
            "order_id": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
            "customer": f"customer-{chance.randrange(count)}",
            "placed_at": (start + timedelta(milliseconds=10 * number)).isoformat(),
            "lines": [
                {"sku": sku, "quantity": chance.randint(1, 5), "unit_price_cents": chance.randint(100, 9_999)}
                for sku in chance.sample(PRODUCTS, chance.randint(1, 3))
            ],
        }
        for number in range(count)
    ]


@dataclass(frozen=True)
class Progress:
    """How far a burst is: messages sent, still in the queue and in the dead-letter queue; answers by status."""

    sent: int
    waiting: int
    dead: int
    answers: Counter[str]


class Burst:
    """One burst against one deployed stack, whose outputs say where its queue and its API are."""

    def __init__(
        self, emulator: Emulator, outputs: Mapping[str, str], orders: Sequence[Order], requests: int, poison: int = 0
    ) -> None:
        self.messages = [json.dumps(order) for order in (*orders, *orders[::REPEATED])]
        for number in range(poison):
            self.messages.insert(number * len(self.messages) // poison, json.dumps({"order_id": f"none {number}"}))
        self.requests = requests
        self._sqs = emulator.client("sqs")
        self._outputs = outputs
        self._url = f"{emulator.url}/{outputs['Stage']}/orders"
        # The emulator tells APIs apart by their host name, as AWS does.
        self._headers = {"Host": f"{outputs['ApiId']}.execute-api.localhost:{emulator.port}"}
        self._http = urllib3.PoolManager(maxsize=REQUESTS_AT_ONCE, retries=False, timeout=REQUEST_TIMEOUT_SECONDS)

    def run(self, patience_seconds: float) -> Iterator[Progress]:
        """Send everything; yield the progress now and then, at last when the queue is empty and each request answered.

        After `patience_seconds` it no longer waits for the queue: the last progress tells what is still in there.
        """
        deadline = time.monotonic() + patience_seconds
        batches = [self.messages[start : start + BATCH] for start in range(0, len(self.messages), BATCH)]
        senders, clients = ThreadPoolExecutor(SENDERS), ThreadPoolExecutor(REQUESTS_AT_ONCE)
        try:
            sending = [senders.submit(self._send, batch) for batch in batches]
            asking = [clients.submit(self._ask) for _ in range(self.requests)]
            over = False
            while not over:
                all_done = all(future.done() for future in (*sending, *asking))
                progress = Progress(
                    sum(_results(sending)),
                    self._messages("QueueUrl"),
                    self._messages("DeadLetterQueueUrl"),
                    Counter(_results(asking)),
                )
                over = all_done and (progress.waiting == 0 or time.monotonic() > deadline)
                yield progress
                time.sleep(0.2)
        finally:
            for threads in (senders, clients):
                threads.shutdown(wait=False, cancel_futures=True)

    def _send(self, batch: Sequence[str]) -> int:
        entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(batch)]
        answer = self._sqs.send_message_batch(QueueUrl=self._outputs["QueueUrl"], Entries=entries)
        if refused := answer.get("Failed"):
            raise RuntimeError(f"SQS refused {len(refused)} messages: {refused[0]}")
        return len(entries)

    def _ask(self) -> str:
        """Make a request; after a 429, wait as long as Retry-After asks, or a second, before the next one."""
        try:
            answer = self._http.request("GET", self._url, headers=self._headers)
        except urllib3.exceptions.TimeoutError:
            return "timeout"
        except urllib3.exceptions.HTTPError as error:
            return type(error).__name__
        if answer.status == 429:
            time.sleep(int(answer.headers.get("Retry-After", "1")))
        return str(answer.status)

    def _messages(self, queue: str) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self._sqs.get_queue_attributes(QueueUrl=self._outputs[queue], AttributeNames=names)
        return sum(int(answer["Attributes"][name]) for name in names)


def _results(futures: Sequence[Future[Any]]) -> list[Any]:
    return [future.result() for future in futures if future.done()]
