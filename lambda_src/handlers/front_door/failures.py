"""Notes which jobs failed for good, on their way to where failures are kept.

From a queue: messages whose last receive is spent come by here and go on to the dead-letter queue. From a stream: the
objects that the event source mapping writes into the bucket of failed records.
"""

from __future__ import annotations

import json
import os
from base64 import b64decode
from functools import cache
from time import time
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from .jobs import JOB, Jobs

if TYPE_CHECKING:
    from collections.abc import Iterator

VARIABLE = "BREAKWATER_FRONT_DOOR_FAILURES"


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answer the event source mapping of the queue, or EventBridge."""
    del context
    settings = json.loads(os.environ[VARIABLE])
    jobs = Jobs(_client("dynamodb"), settings["table"])
    now = int(time())
    if "detail" in event:
        place = event["detail"]
        kept = _client("s3").get_object(Bucket=place["bucket"]["name"], Key=place["object"]["key"])
        for job in jobs_of_stream(json.loads(kept["Body"].read())):
            jobs.failed(job, now, settings["seconds"])
        return {}
    failed = [record["messageId"] for record in event["Records"] if not _passed_on(record, settings, jobs, now)]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _passed_on(record: dict[str, Any], settings: dict[str, Any], jobs: Jobs, now: int) -> bool:
    job = record.get("messageAttributes", {}).get(JOB, {}).get("stringValue")
    try:
        if job:
            jobs.failed(job, now, settings["seconds"])
        _client("sqs").send_message(QueueUrl=settings["dead_letters"], **_message(record))
    except (ClientError, BotoCoreError):
        return False
    return True


def jobs_of_stream(invocation: dict[str, Any]) -> Iterator[str]:
    """Find the front door's jobs in what an event source mapping keeps of a failed invocation."""
    # Source: AWS Lambda Developer Guide, "Retain discarded batch records for a Kinesis Data Streams event source":
    # the field "payload" holds the event as text.
    for record in json.loads(invocation["payload"])["Records"]:
        if "kinesis" in record:
            name, _, rest = b64decode(record["kinesis"]["data"]).partition(b" ")
            if name == JOB.encode():
                yield rest.partition(b" ")[0].decode()
        elif record.get("eventName") == "INSERT":
            job = record["dynamodb"].get("NewImage", {}).get(JOB, {}).get("S")
            if job:
                yield job


def _message(record: dict[str, Any]) -> dict[str, Any]:
    attributes = {
        name: {
            key[0].upper() + key[1:]: b64decode(value) if key == "binaryValue" else value
            for key, value in attribute.items()
            if key in {"dataType", "stringValue", "binaryValue"} and value is not None
        }
        for name, attribute in record.get("messageAttributes", {}).items()
    }
    message: dict[str, Any] = {"MessageBody": record["body"], "MessageAttributes": attributes}
    if "MessageGroupId" in record["attributes"]:
        message["MessageGroupId"] = record["attributes"]["MessageGroupId"]
    if record["eventSourceARN"].endswith(".fifo"):
        message["MessageDeduplicationId"] = record["messageId"]
    return message


@cache
def _client(service: str) -> Any:
    make: Any = boto3.client
    return make(service)
