"""Files what producers send into the lanes of the backlog, and rings for the dispatcher when nobody is awake.

The queue that producers send to has an event source mapping, which costs nothing while it is empty. The backlog has
none: a mapping receives whenever it likes, and what it receives before there is quota counts as a failed try.
"""

from __future__ import annotations

from base64 import b64decode
from functools import cache
from time import time
from typing import Any
from uuid import uuid4
from zlib import crc32

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from .settings import Settings
from .store import QuotaStore


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answer the event source mapping of a queue that producers send to."""
    del context
    settings = Settings.from_environment()
    sqs, dynamodb = _clients()
    failed = file(sqs, settings, event["Records"])
    # Look after filing: a dispatcher that is about to leave looks into the backlog after it has said so.
    if len(failed) < len(event["Records"]):
        store = QuotaStore(dynamodb, settings)
        store.read()
        if store.awake_until < time() * 1000:
            sqs.send_message(QueueUrl=settings.doorbell, MessageBody=str(uuid4()))
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def file(client: Any, settings: Settings, records: list[dict[str, Any]]) -> list[str]:
    """Send records to their lanes; return the ids of those that were not accepted."""
    if settings.ordered:
        for position, record in enumerate(records):
            if not _accepted(client, _lane(settings, record), _entry(record, ordered=True)):
                # Whatever follows must stay behind it.
                return [later["messageId"] for later in records[position:]]
        return []
    lanes: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        lanes.setdefault(_lane(settings, record), []).append(record)
    failed: list[str] = []
    for lane, members in lanes.items():
        entries = [{"Id": str(index), **_entry(record, ordered=False)} for index, record in enumerate(members)]
        answer = client.send_message_batch(QueueUrl=lane, Entries=entries)
        failed += [members[int(problem["Id"])]["messageId"] for problem in answer.get("Failed", [])]
    return failed


def _accepted(client: Any, lane: str, entry: dict[str, Any]) -> bool:
    try:
        client.send_message(QueueUrl=lane, **entry)
    except (ClientError, BotoCoreError):
        return False
    return True


def _lane(settings: Settings, record: dict[str, Any]) -> str:
    lanes = settings.queue_arns[record["eventSourceARN"]]
    group = record["attributes"].get("MessageGroupId", record["messageId"])
    return lanes[crc32(group.encode()) % len(lanes)]


def _entry(record: dict[str, Any], *, ordered: bool) -> dict[str, Any]:
    attributes = {
        name: {
            key[0].upper() + key[1:]: b64decode(value) if key == "binaryValue" else value
            for key, value in attribute.items()
            if key in ("dataType", "stringValue", "binaryValue") and value is not None
        }
        for name, attribute in record.get("messageAttributes", {}).items()
    }
    entry: dict[str, Any] = {"MessageBody": record["body"], "MessageAttributes": attributes}
    if ordered:
        entry["MessageGroupId"] = record["attributes"]["MessageGroupId"]
        entry["MessageDeduplicationId"] = record["messageId"]
    elif "MessageGroupId" in record["attributes"]:
        entry["MessageGroupId"] = record["attributes"]["MessageGroupId"]  # SQS keeps standard queues fair by it
    return entry


@cache
def _clients() -> tuple[Any, Any]:
    return boto3.client("sqs"), boto3.client("dynamodb")
