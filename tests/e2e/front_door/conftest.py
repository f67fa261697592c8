"""A deployed front door, and callers of it."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
import urllib3
from demo.emulator import Emulator

from tests.e2e.front_door.front_door_app import STACK
from tests.e2e.rest_apis import validate_requests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATH = "/prod/shop/orders"
VISIBILITY_SECONDS = 3  # longer than a process takes to start
PATIENCE_SECONDS = 120


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    text: str
    body: Any = field(init=False)

    def __post_init__(self) -> None:
        self.body = json.loads(self.text) if self.text else None


class Account(Emulator):
    program: ClassVar[tuple[str, ...]] = (str(Path(__file__).parent / "velocity_gateway.py"),)

    def deploy_front_door(self) -> None:
        self.bootstrap()
        self.synthesize({}, "tests.e2e.front_door.front_door_app")
        self.outputs = self.deploy(STACK)
        validate_requests(self, STACK)

    @contextmanager
    def tried_again_soon(self) -> Iterator[None]:
        """Let what fails be tried again soon: with the template's timeout, five tries take five minutes."""
        queues = [self.outputs[f"{door}Queue"] for door in ("Standard", "Ordered")]
        sqs, name = self.client("sqs"), "VisibilityTimeout"
        before = sqs.get_queue_attributes(QueueUrl=queues[0], AttributeNames=[name])["Attributes"]
        for queue in queues:
            sqs.set_queue_attributes(QueueUrl=queue, Attributes={name: str(VISIBILITY_SECONDS)})
        yield
        for queue in queues:
            sqs.set_queue_attributes(QueueUrl=queue, Attributes=before)

    def request(
        self,
        method: str,
        path: str,
        body: str | None = None,
        caller: str = "ann",
        door: str = "Standard",
        **headers: str,
    ) -> Answer:
        """Send a request to a path of a door's host, such as a Location names it."""
        response = urllib3.request(
            method,
            f"{self.url}/_aws/execute-api/{self.outputs[f'{door}Api']}{path}",
            body=body,
            headers={"Authorization": caller, "Content-Type": "application/json", **headers},
            timeout=30,
            retries=False,
            redirect=False,
        )
        return Answer(response.status, dict(response.headers), response.data.decode())

    def post(
        self, order: dict[str, Any] | str, caller: str = "ann", key: str | None = None, door: str = "Standard"
    ) -> Answer:
        body = order if isinstance(order, str) else json.dumps(order)
        headers = {"Idempotency-Key": key} if key else {}
        return self.request("POST", PATH, body, caller, door, **headers)

    def get(self, posted: Answer, caller: str = "ann", door: str = "Standard") -> Answer:
        return self.request("GET", posted.headers["Location"], caller=caller, door=door)

    def until(
        self, posted: Answer, status: int, door: str = "Standard", *, meanwhile: tuple[int, ...] = (202,)
    ) -> Answer:
        """Look at a result until it has a status."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (answer := self.get(posted, door=door)).status != status:
            assert answer.status in meanwhile, f"{answer.status}: {answer.text}"
            assert time.monotonic() < deadline, f"still {answer.status}: {answer.text}"
            time.sleep(0.2)
        return answer

    def dead_letters(self, door: str, count: int) -> dict[str, dict[str, Any]]:
        """Take a number of messages out of a dead-letter queue, and give them by the job's id."""
        sqs, queue = self.client("sqs"), self.outputs[f"{door}DeadLetters"]
        letters: dict[str, dict[str, Any]] = {}
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(letters) < count:
            assert time.monotonic() < deadline, f"{len(letters)} of {count} dead letters"
            answer = sqs.receive_message(
                QueueUrl=queue, MessageAttributeNames=["All"], MaxNumberOfMessages=10, WaitTimeSeconds=1
            )
            for letter in answer.get("Messages", []):
                letters[letter["MessageAttributes"]["breakwater-job"]["StringValue"]] = letter
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=letter["ReceiptHandle"])
        return letters

    def send_back(self, letter: dict[str, Any], door: str = "Standard") -> None:
        """Do what a move task of SQS does, which the emulator lacks: the message is sent anew, as it is."""
        self.client("sqs").send_message(
            QueueUrl=self.outputs[f"{door}Queue"],
            MessageBody=letter["Body"],
            MessageAttributes=letter["MessageAttributes"],
        )

    def wait_until_empty(self, door: str = "Standard") -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self._messages(self.outputs[f"{door}Queue"]):
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def _messages(self, queue: str) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        numbers = self.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
        return sum(map(int, numbers.values()))

    def change(self, posted: Answer, attribute: str, change: Callable[[int], int]) -> None:
        """Let time pass for a job: change a number of its item."""
        table = {"TableName": self.outputs["StandardTable"], "Key": {"job": {"S": posted.body["id"]}}}
        client = self.client("dynamodb")
        number = int(client.get_item(**table, ConsistentRead=True)["Item"][attribute]["N"])
        client.update_item(
            **table,
            UpdateExpression=f"SET {attribute} = :changed",
            ExpressionAttributeValues={":changed": {"N": str(change(number))}},
        )


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with Account(tmp_path_factory.mktemp("account")) as account:
        account.deploy_front_door()
        yield account


@dataclass
class Failures:
    """Jobs that failed for good, and their messages in the dead-letter queues by id."""

    posted: dict[str, Answer]
    letters: dict[str, dict[str, Any]]
    ordered: Answer
    ordered_letters: dict[str, dict[str, Any]]
    gate: Path


# At the same time, since each try has to wait for its turn.
@pytest.fixture(scope="module")
def failures(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Failures:
    gate = tmp_path_factory.mktemp("failures") / "gate"
    orders = [*({"do": what} for what in ("fail", "refuse", "die")), {"do": "need", "gate": str(gate)}]
    with account.tried_again_soon():
        posted = {order["do"]: account.post(order) for order in orders}
        ordered = account.post({"do": "fail", "customer": "c"}, door="Ordered")
        for answer in posted.values():
            account.until(answer, 500)
        account.until(ordered, 500, "Ordered")
    return Failures(
        posted, account.dead_letters("Standard", len(orders)), ordered, account.dead_letters("Ordered", 1), gate
    )
