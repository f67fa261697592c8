"""Answers the caller who comes back for a job's result.

What is told apart, and by which evidence, is the table in docs/front_door.md. A 404 is certain: the job is of another
caller or no job of this door, or everything that was ever accepted has been worked off and it was not among it. A 202
says that the job may be waiting: a queue cannot be asked for a message.
"""

from __future__ import annotations

import json
import os
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from functools import cache
from time import time
from typing import Any

import boto3
from botocore.config import Config

from .jobs import Jobs

VARIABLE = "BREAKWATER_FRONT_DOOR"
# A queue's numbers settle within a minute after the last message was sent (Amazon SQS API Reference,
# GetQueueAttributes); twice that, until they are believed.
SETTLED_SECONDS = 120
_QUEUE_NUMBERS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
_LINK_SECONDS = 300
_JOB = re.compile(r"[\w-]+\.[\w-]*\.[\w-]+", re.ASCII)
# What a key of DynamoDB takes, and so of any job there is (Amazon DynamoDB Developer Guide, "Quotas").
_LONGEST_JOB = 2_048


@dataclass(frozen=True)
class Settings:
    """One door.

    Attributes
    ----------
    table, bucket
        Where answers are.
    tag
        The door's mark in the names of its jobs.
    caller
        IAM, USER_POOL, AUTHORIZER or API_KEY: the kind of caller.
    retry_after
        Seconds until the caller may ask again.
    longest_wait
        Seconds that a job may wait in its source.
    queues
        The URLs of the queues that a job may wait in, none for streams.
    headers
        Of every answer.
    source_table, partition_key
        The table that a job waits in, empty for other sources.
    """

    table: str
    bucket: str
    tag: str
    caller: str
    retry_after: int
    longest_wait: int
    queues: list[str]
    headers: dict[str, str]
    source_table: str = ""
    partition_key: str = ""

    @classmethod
    def from_environment(cls) -> Settings:
        """Read them."""
        return cls(**json.loads(os.environ[VARIABLE]))


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answer a proxy request of a REST API."""
    del context
    settings = Settings.from_environment()
    job = (event.get("pathParameters") or {}).get("id") or ""
    answer = look(settings, job, caller(settings.caller, event["requestContext"]))
    return {**answer, "headers": {**answer["headers"], **settings.headers}}


def look(settings: Settings, job: str, who: str) -> dict[str, Any]:
    """Answer what has become of a job."""
    if not _belongs(settings, job, who):
        return _unknown()
    now = int(time())
    jobs = Jobs(_client("dynamodb"), settings.table)
    item = jobs.read(job)
    if "expires" in item and int(item["expires"]["N"]) <= now:
        return _answer(410, _EXPIRED)
    outcome = item.get("outcome", {}).get("S")
    if outcome == "done":
        return _result(settings, item)
    if outcome == "failed":
        return _answer(500, {"message": "The job failed.", "reason": item["reason"]["S"]})
    if outcome not in {"waiting", "working"}:
        status = _of_table(settings, job, now) if settings.source_table else _of_queue(settings, jobs, job, item, now)
        if status != 202:
            return _unknown() if status == 404 else _answer(410, _EXPIRED)
    message = {"id": job, "message": "The job is waiting or under way."}
    return _answer(202, message, {"Retry-After": str(settings.retry_after)})


def caller(kind: str, request: dict[str, Any]) -> str:
    """Name who asks, as the mapping template names who posted."""
    identity, authorizer = request.get("identity") or {}, request.get("authorizer") or {}
    if kind == "IAM":
        return f"{identity.get('cognitoIdentityId') or ''} {(identity.get('caller') or '').partition(':')[0]}"
    if kind == "USER_POOL":
        return (authorizer.get("claims") or {}).get("sub") or ""
    if kind == "AUTHORIZER":
        return authorizer.get("principalId") or ""
    return identity.get("apiKeyId") or ""


def _belongs(settings: Settings, job: str, who: str) -> bool:
    encoded = urlsafe_b64encode(who.encode()).decode().rstrip("=")
    return len(job) <= _LONGEST_JOB and _JOB.fullmatch(job) is not None and job.startswith(f"{settings.tag}.{encoded}.")


def _of_table(settings: Settings, job: str, now: int) -> int:
    """Return the status of a job of which nothing is known but what its source, a table, says."""
    found = _client("dynamodb").get_item(
        TableName=settings.source_table,
        Key={settings.partition_key: {"S": job}},
        ConsistentRead=True,
        ProjectionExpression="posted",
    )
    if "Item" not in found:
        return 404
    posted = int(found["Item"].get("posted", {"N": now * 1000})["N"]) // 1000
    return 202 if now - posted <= settings.longest_wait else 410


def _of_queue(settings: Settings, jobs: Jobs, job: str, item: dict[str, Any], now: int) -> int:
    """Return the status of a job that may be in a queue or stream, which cannot be asked for it."""
    if not item:
        jobs.asked(job, now, now + settings.longest_wait + 86_400)
        return 202
    waited = now - int(item["asked_at"]["N"])
    if waited <= SETTLED_SECONDS:
        return 202
    if waited > settings.longest_wait or (settings.queues and all(map(_is_empty, settings.queues))):
        return 404
    return 202


def _is_empty(queue: str) -> bool:
    numbers = _client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=list(_QUEUE_NUMBERS))["Attributes"]
    return all(int(numbers[name]) == 0 for name in _QUEUE_NUMBERS)


def _result(settings: Settings, item: dict[str, Any]) -> dict[str, Any]:
    if "answer" in item:
        return {"statusCode": 200, "headers": _HEADERS, "body": item["answer"]["S"]}
    if "answer_key" not in item:
        reason = item.get("reason", {}).get("S", "Its answer was not kept.")
        return _answer(500, {"message": "The job is done, and its answer is lost.", "reason": reason})
    if "answer_key" not in item:
        return _answer(500, {"message": "The job is done, without an answer.", "reason": item["reason"]["S"]})
    place = {"Bucket": settings.bucket, "Key": item["answer_key"]["S"]}
    link = _client("s3").generate_presigned_url("get_object", Params=place, ExpiresIn=_LINK_SECONDS)
    return _answer(303, {"message": "The result is large; fetch it from the location."}, {"Location": link})


# What one caller may read must not be kept for another on the way.
_EXPIRED = {"message": "The result has expired."}
_HEADERS = {"Content-Type": "application/json", "Cache-Control": "no-store"}


def _answer(status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> dict[str, Any]:
    return {"statusCode": status, "headers": {**_HEADERS, **(headers or {})}, "body": json.dumps(body)}


def _unknown() -> dict[str, Any]:
    return _answer(404, {"message": "There is no such job."})


@cache
def _client(service: str) -> Any:
    # Links that are signed the old way are refused for encrypted objects.
    make: Any = boto3.client
    return make(service, config=Config(signature_version="s3v4") if service == "s3" else None)
