"""SQS and DynamoDB as a dispatcher and an intake see them, with what goes wrong in them."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError

from tests.simulation.bill import Bill

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tests.simulation.hub import Hub, Machine

# Amazon SQS API Reference, "SendMessage"; Developer Guide, "Amazon SQS message quotas".
FORBIDDEN = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
LARGEST = 1_048_576
RETENTION = 14 * 86_400_000
ATTEMPTS = 3  # of the SDK, as the handlers' clients are configured
CONNECT = 1_000
READ = 5_000
LARGEST_ITEM = 400_000
"""A little less than the 400 KB of DynamoDB, names included."""
SCANNED = 10
"""Items that one request of a scan sees."""


@dataclass
class Faults:
    """How often something goes wrong: a share of requests each, while `until` lies ahead."""

    until: int = 0
    lost: float = 0
    answer_lost: float = 0
    late: float = 0
    refused: float = 0
    duplicated: float = 0


class Network:
    """Between a machine and a service.

    Attributes
    ----------
    written
        Hears of the machine whose write of the counter has come through.
    """

    def __init__(self, hub: Hub, random: Random, faults: Faults, written: Callable[[Machine], None]) -> None:
        self.hub, self.random, self.faults = hub, random, faults
        self.bill = Bill()
        self.written = written

    def request(self, machine: Machine, apply: Callable[[], Any], *, attempts: int = ATTEMPTS, read: int = READ) -> Any:
        """Apply something at the service, and bring the answer back, if all goes well."""
        while True:
            attempts -= 1
            try:
                return self._attempt(machine, apply, read)
            except (ConnectTimeoutError, ReadTimeoutError):
                if attempts <= 0:
                    raise
            except ClientError as error:
                if attempts <= 0 or error.response["Error"]["Code"] != "ThrottlingException":
                    raise

    def _attempt(self, machine: Machine, apply: Callable[[], Any], read: int) -> Any:
        random, hub = self.random, self.hub
        there, back = random.randint(2, 8), random.randint(2, 8)
        kind = random.random() if hub.now < self.faults.until else 1.0
        faults = self.faults
        for name in ("lost", "answer_lost", "late", "refused"):
            kind -= getattr(faults, name)
            if kind < 0:
                break
        else:
            name = "none"
        if name == "none" and hub.skip(there):
            answer = apply()
            hub.sleep(machine, back)
            return answer
        box: list[Any] = []
        if name == "lost":
            hub.after(CONNECT, lambda: hub.put(box, ConnectTimeoutError(endpoint_url="x")))
        elif name == "refused":
            hub.after(there + back, lambda: hub.put(box, refusal("ThrottlingException", 400)))
        else:
            delay = random.randint(1_000, 60_000) if name == "late" else there

            def arrive() -> None:
                try:
                    answer = apply()
                except ClientError as error:
                    answer = error
                if name == "none":
                    hub.after(back, lambda: hub.put(box, answer))

            hub.after(delay, arrive)
            if name != "none":
                hub.after(read, lambda: hub.put(box, ReadTimeoutError(endpoint_url="x")))
        hub.wait(machine, box)
        (answer,) = box
        if isinstance(answer, Exception):
            raise answer
        return answer


def refusal(code: str, status: int, **more: Any) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}, **more}
    return ClientError(answer, "Operation")


class DynamoDB:
    """One table, for the expressions that the handlers use."""

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}

    def client(self, network: Network, machine: Machine) -> DynamoDBClient:
        return DynamoDBClient(self, network, machine)


class DynamoDBClient:
    def __init__(self, table: DynamoDB, network: Network, machine: Machine) -> None:
        self.table, self.network, self.machine = table, network, machine

    def _do(self, apply: Callable[[], Any]) -> Any:
        return self.network.request(self.machine, apply)

    def get_item(self, **request: Any) -> dict[str, Any]:
        key = request["Key"]["id"]["S"]

        def apply() -> dict[str, Any]:
            self.network.bill.read(self.table.items.get(key, {}))
            return {"Item": dict(self.table.items[key])} if key in self.table.items else {}

        return self._do(apply)

    def put_item(self, **request: Any) -> dict[str, Any]:
        def apply() -> dict[str, Any]:
            size = sum(len(value) for attribute in request["Item"].values() for value in attribute.values())
            assert size < 400 * 1024, "an item is too large"
            self.network.bill.write(request["Item"])
            self.table.items[request["Item"]["id"]["S"]] = dict(request["Item"])
            return {}

        return self._do(apply)

    def delete_item(self, **request: Any) -> dict[str, Any]:
        def apply() -> dict[str, Any]:
            old = self.table.items.pop(request["Key"]["id"]["S"], None)
            self.network.bill.write(old or request["Key"])
            return {"Attributes": old} if old else {}

        return self._do(apply)

    def batch_get_item(self, **request: Any) -> dict[str, Any]:
        ((table, wanted),) = request["RequestItems"].items()
        assert len(wanted["Keys"]) <= 100
        assert wanted["ConsistentRead"]

        def apply() -> dict[str, Any]:
            done, left = self._part(wanted["Keys"])
            items = [self.table.items[key["id"]["S"]] for key in done if key["id"]["S"] in self.table.items]
            for item in items:
                self.network.bill.read(item)
            return {"Responses": {table: items}, "UnprocessedKeys": {table: {"Keys": left}} if left else {}}

        return self._do(apply)

    def batch_write_item(self, **request: Any) -> dict[str, Any]:
        ((table, requests),) = request["RequestItems"].items()
        assert len(requests) <= 25

        def apply() -> dict[str, Any]:
            done, left = self._part(requests)
            for each in done:
                if "PutRequest" in each:
                    item = each["PutRequest"]["Item"]
                    assert sum(len(v) for attribute in item.values() for v in attribute.values()) < 400 * 1024
                    self.network.bill.write(item)
                    self.table.items[item["id"]["S"]] = dict(item)
                else:
                    key = each["DeleteRequest"]["Key"]
                    self.network.bill.write(self.table.items.pop(key["id"]["S"], None) or key)
            return {"UnprocessedItems": {table: left} if left else {}}

        return self._do(apply)

    def _part(self, things: list[Any]) -> tuple[list[Any], list[Any]]:
        """Return what DynamoDB processes of a batch, and what it leaves."""
        network = self.network
        if network.hub.now < network.faults.until and network.random.random() < network.faults.refused:
            some = network.random.randint(0, len(things) - 1)
            return things[:some], things[some:]
        return things, []

    def scan(self, **request: Any) -> dict[str, Any]:
        def apply() -> dict[str, Any]:
            after = request.get("ExclusiveStartKey", {"id": {"S": ""}})["id"]["S"]
            keys = sorted(key for key in self.table.items if key > after)
            found = {"Items": [{"id": {"S": key}} for key in keys[:SCANNED]]}
            for key in keys[:SCANNED]:
                self.network.bill.read(self.table.items[key])
            return found | ({"LastEvaluatedKey": found["Items"][-1]} if len(keys) > SCANNED else {})

        return self._do(apply)

    def update_item(self, **request: Any) -> dict[str, Any]:
        return self._do(lambda: self._update(**request))

    def _update(self, **request: Any) -> dict[str, Any]:
        values, names = request.get("ExpressionAttributeValues", {}), request.get("ExpressionAttributeNames", {})
        key = request["Key"]["id"]["S"]
        item = self.table.items.get(key, {})
        for condition in filter(None, request.get("ConditionExpression", "").split(" AND ")):
            if missing := re.fullmatch(r"attribute_not_exists\((.*)\)", condition):
                holds = names.get(missing[1], missing[1]) not in item
            else:
                name, value = condition.split(" = ")
                holds = item.get(names.get(name, name)) == values[value]
            if not holds:
                raise refusal("ConditionalCheckFailedException", 400, Item=copy.copy(item))
        new = {"id": {"S": key}, **item}
        for clause, text in re.findall(
            r"(SET|ADD|REMOVE) (.*?)(?= SET | ADD | REMOVE |$)", request["UpdateExpression"]
        ):
            for part in text.split(", "):
                if clause == "REMOVE":
                    new.pop(names.get(part, part), None)
                elif clause == "SET":
                    name, value = part.split(" = ")
                    new[names.get(name, name)] = values[value]
                else:
                    name, value = part.split(" ")
                    new[name] = {"N": str(int(new.get(name, {"N": "0"})["N"]) + int(values[value]["N"]))}
        if sum(len(next(iter(attribute.values()))) for attribute in new.values()) > LARGEST_ITEM:
            raise refusal("ValidationException", 400)
        self.network.bill.write(item, new)
        self.table.items[key] = new
        if "SET" in request["UpdateExpression"]:
            self.network.written(self.machine)
        return {"Attributes": dict(new)}


@dataclass
class Message:
    id: str
    body: str
    group: str
    attributes: dict[str, Any]
    sent: int
    visible: int
    receipt: int = 0


@dataclass
class Queue:
    """A queue and, if it has one, the mapping that empties it."""

    fifo: bool = False
    visibility: int = 30_000
    batch: int = 10
    window: int = 0
    concurrency: int = 2
    invoke: Callable[[list[dict[str, Any]], Callable[[bool], None]], None] | None = None
    messages: dict[str, Message] = field(default_factory=dict)
    running: int = 0
    planned: set[int] = field(default_factory=set)
    tags: dict[str, str] = field(default_factory=dict)
    hidden: list[tuple[int, str]] = field(default_factory=list)
    """A heap of when which message becomes visible, or would have."""
    arrived: Callable[[str], None] | None = None
    """Hears the body of each message that is sent."""

    def hide(self, message: Message, until: int) -> None:
        message.visible = until
        heappush(self.hidden, (until, message.id))

    def next_visible(self, now: int) -> int | None:
        """Return when the next of the messages that are hidden now becomes visible."""
        while self.hidden:
            when, id_ = self.hidden[0]
            message = self.messages.get(id_)
            if when > now and message is not None and message.visible == when:
                return when
            heappop(self.hidden)
        return None


class SQS:
    """Queues, and Lambda's pollers."""

    def __init__(self, hub: Hub, random: Random, faults: Faults, bill: Bill) -> None:
        self.hub, self.random, self.faults, self.bill = hub, random, faults, bill
        self.queues: dict[str, Queue] = {}
        self._count = 0

    def client(self, network: Network, machine: Machine) -> SQSClient:
        return SQSClient(self, network, machine)

    def send(self, url: str, body: str, *, group: str = "", delay: int = 0, attributes: Any = None) -> str:
        queue = self.queues[url]
        self.bill["SQS requests"] += 1
        self._count += 1
        now = self.hub.now
        # DelaySeconds is a minimum.
        visible = now + delay + (self.random.randint(0, 200) if delay else 0)
        message = Message(f"m{self._count}", body, group, attributes or {}, now, visible)
        queue.messages[message.id] = message
        queue.hide(message, visible)
        if queue.arrived:
            queue.arrived(body)
        self._plan(url, visible)
        return message.id

    def hide(self, url: str, handle: str, milliseconds: int) -> None:
        self.bill["SQS requests"] += 1
        message = self._by_handle(url, handle)
        if message is None:
            raise refusal("InvalidParameterValue", 400)
        self.queues[url].hide(message, self.hub.now + milliseconds)
        self._plan(url, message.visible)

    def delete(self, url: str, handle: str) -> None:
        if message := self._by_handle(url, handle):
            del self.queues[url].messages[message.id]
            self._plan(url, self.hub.now)

    def _by_handle(self, url: str, handle: str) -> Message | None:
        id_, _, receipt = handle.partition("/")
        message = self.queues[url].messages.get(id_)
        if message and message.receipt != int(receipt) and self.random.random() < 0.5:
            return None  # An outdated handle may work or not.
        return message

    def _plan(self, url: str, when: int, *, full: bool = False) -> None:
        queue = self.queues[url]
        if queue.invoke is None:
            return
        if full:  # The window ends with the last message that fits into a batch.
            self.hub.after(self.random.randint(5, 100), lambda: self._poll(url, -1))
            return
        when = max(when, self.hub.now) + queue.window + self.random.randint(5, 100)
        slot = when // 50
        if queue.window and any(slot - queue.window // 50 <= planned <= slot for planned in queue.planned):
            return  # It joins the batch that is being gathered.
        if slot not in queue.planned:
            queue.planned.add(slot)
            self.hub.at(when, lambda: self._poll(url, slot))

    def _poll(self, url: str, slot: int) -> None:
        queue, now = self.queues[url], self.hub.now
        queue.planned.discard(slot)
        if queue.invoke is None:
            return
        for id_ in [m.id for m in takewhile(lambda m: m.sent < now - RETENTION, queue.messages.values())]:
            del queue.messages[id_]
        locked = {m.group for m in queue.messages.values() if queue.fifo and m.visible > now and m.receipt}
        batch: list[Message] = []
        waiting = set(locked)
        for message in queue.messages.values():
            if len(batch) == queue.batch:
                break
            if queue.fifo and message.group in waiting:
                continue
            if message.visible <= now:
                batch.append(message)
            elif queue.fifo:
                waiting.add(message.group)
        if not batch:
            if later := queue.next_visible(now):
                self._plan(url, later)
            return
        if queue.running >= queue.concurrency:
            return  # the end of one plans the next look
        for message in batch:
            message.receipt += 1
            queue.hide(message, now + queue.visibility)
            if not queue.fifo and now < self.faults.until and self.random.random() < self.faults.duplicated:
                queue.hide(message, now + self.random.choice((0, 0, 500, 3_000)))
                self._plan(url, message.visible)
        queue.running += 1
        self.bill["SQS requests"] += -(-len(batch) // 10) * 2  # ten at most are received and deleted with a request
        handles = {message.id: f"{message.id}/{message.receipt}" for message in batch}

        def done(failed: set[str]) -> None:
            queue.running -= 1
            for id_, handle in handles.items():
                if id_ not in failed:
                    self.delete(url, handle)
            self._plan(url, self.hub.now, full=len(handles) == queue.batch and queue.window > 0)
            if later := queue.next_visible(self.hub.now):
                self._plan(url, later)

        queue.invoke([self.record(url, message) for message in batch], done)
        self._plan(url, now, full=len(batch) == queue.batch and queue.window > 0)

    def record(self, url: str, message: Message) -> dict[str, Any]:
        attributes = {"SentTimestamp": str(message.sent)} | ({"MessageGroupId": message.group} if message.group else {})
        return {
            "messageId": message.id,
            "receiptHandle": f"{message.id}/{message.receipt}",
            "body": message.body,
            "attributes": attributes,
            "messageAttributes": message.attributes,
            "eventSource": "aws:sqs",
            "eventSourceARN": url,
        }


class SQSClient:
    def __init__(self, sqs: SQS, network: Network, machine: Machine) -> None:
        self.sqs, self.network, self.machine = sqs, network, machine

    def _do(self, apply: Callable[[], Any]) -> Any:
        return self.network.request(self.machine, apply)

    def send_message(self, **request: Any) -> Any:
        def apply() -> Any:
            attributes = request.get("MessageAttributes", {})
            texts = [request["MessageBody"], *(value.get("StringValue", "") for value in attributes.values())]
            if any(FORBIDDEN.search(text) for text in texts):
                raise refusal("InvalidMessageContents", 400)
            if sum(len(text.encode()) for text in [*texts, *attributes]) > LARGEST:
                raise refusal("InvalidParameterValue", 400)
            delay, group = 1000 * request.get("DelaySeconds", 0), request.get("MessageGroupId", "")
            return self.sqs.send(request["QueueUrl"], texts[0], group=group, delay=delay, attributes=attributes)

        return self._do(apply)

    def change_message_visibility(self, **request: Any) -> Any:
        return self._do(
            lambda: self.sqs.hide(request["QueueUrl"], request["ReceiptHandle"], 1000 * request["VisibilityTimeout"])
        )

    def list_queue_tags(self, **request: Any) -> Any:
        def apply() -> Any:
            self.sqs.bill["SQS requests"] += 1
            return {"Tags": dict(self.sqs.queues[request["QueueUrl"]].tags)}

        return self._do(apply)

    def get_queue_attributes(self, **request: Any) -> Any:
        def apply() -> Any:
            messages, now = self.sqs.queues[request["QueueUrl"]].messages.values(), self.sqs.hub.now
            # Approximately: what was sent within the last seconds may not be counted yet.
            hidden = sum(message.visible > now for message in messages)
            visible = sum(message.visible <= now and message.sent < now - 2_000 for message in messages)
            return {
                "Attributes": {
                    "ApproximateNumberOfMessages": str(visible),
                    "ApproximateNumberOfMessagesNotVisible": str(hidden),
                }
            }

        return self._do(apply)
