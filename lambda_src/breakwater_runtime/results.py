"""What became of each job: one item per job in DynamoDB, and large answers in S3."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from time import time
from typing import Any

from breakwater_runtime.credentials import client
from breakwater_runtime.environment import variable
from breakwater_runtime.errors import BreakwaterError, ConfigurationError

TABLE = variable("RESULTS_TABLE")
BUCKET = variable("RESULTS_BUCKET")
SECONDS = variable("RESULTS_SECONDS")
# An item holds up to 400 KB, its other attributes included (Amazon DynamoDB Developer Guide, "Quotas").
_LARGEST_ANSWER = 390_000
# Longer than SQS keeps a message: 14 days (Amazon SQS Developer Guide, "Message quotas").
_UNFINISHED_SECONDS = 15 * 86_400
# New, given back after a failure, dead-lettered and sent again, left by an invocation that has ended since, or done so
# long ago that its key may be used anew.
_FREE = (
    "attribute_not_exists(outcome) OR outcome IN (:asked, :waiting, :failed) "
    "OR (outcome = :working AND busy_until < :now) OR expires < :now"
)
_OUTCOMES = {f":{outcome}": {"S": outcome} for outcome in ("asked", "waiting", "working", "failed")}


class JobFailed(Exception):  # noqa: N818 -- what happened, in the words of the front door
    """A failure whose reason the caller may read; of any other exception the front door tells the type alone.

    The record is tried again like any that failed, and the reason stands until a later try succeeds.

    Parameters
    ----------
    reason
        For the one who asked, in plain words.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class JobBusy(BreakwaterError):  # noqa: N818 -- a state, not a fault
    """Another invocation works on the same job: the record comes again."""


class Results:
    """The table of jobs, as the function that does them sees it."""

    def __init__(self, table: str, seconds: int, bucket: str | None) -> None:
        self._table = table
        self._seconds = seconds
        self._bucket = bucket

    @classmethod
    def from_environment(cls) -> Results | None:
        """Return the table that the construct named, None where there is none."""
        table = os.environ.get(TABLE)
        if not table:
            return None
        seconds = os.environ.get(SECONDS, "86400")
        if not seconds.isdecimal() or int(seconds) < 1:
            raise ConfigurationError(f"{SECONDS} is {seconds!r}. It is a number of seconds of at least 1.")
        return cls(table, int(seconds), os.environ.get(BUCKET) or None)

    def claim(self, job: str, busy_seconds: float) -> bool:
        """Take a job for as long as this invocation may last.

        Returns
        -------
        bool
            False when the job is done already.

        Raises
        ------
        JobBusy
            When another invocation has it.
        """
        now = time()
        try:
            self._update(
                job,
                "SET outcome = :working, busy_until = :busy_until, delete_after = :delete_after "
                "REMOVE expires, answer, answer_key",
                {
                    **_OUTCOMES,
                    ":now": _number(now),
                    ":busy_until": _number(now + busy_seconds),
                    ":delete_after": _number(now + _UNFINISHED_SECONDS),
                },
                ConditionExpression=_FREE,
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except client("dynamodb").exceptions.ConditionalCheckFailedException as error:
            if error.response.get("Item", {}).get("outcome") == {"S": "done"}:
                return False
            raise JobBusy("Another invocation works on the same job.") from error
        return True

    def done(self, job: str, value: object) -> None:
        """Store what the function returned; what JSON doesn't know is stored as its string."""
        text = json.dumps(value, default=str, ensure_ascii=False, separators=(",", ":"))
        expires = time() + self._seconds
        name, answer = self._keep(text)
        self._update(
            job,
            f"SET outcome = :done, {name} = :answer, expires = :expires, delete_after = :delete_after "
            "REMOVE busy_until, reason",
            {
                ":done": {"S": "done"},
                ":answer": {"S": answer},
                ":expires": _number(expires),
                # As long again, the job is known to have been, and the front door says 410.
                ":delete_after": _number(expires + self._seconds),
            },
        )

    def failed(self, job: str, error: Exception) -> None:
        """Give a job back, with the reason of its last failure."""
        reason = error.reason if isinstance(error, JobFailed) else type(error).__name__
        # Nothing to give back when the claim has run out and another invocation is done.
        with suppress(client("dynamodb").exceptions.ConditionalCheckFailedException):
            self._update(
                job,
                "SET outcome = :waiting, reason = :reason REMOVE busy_until",
                {":waiting": {"S": "waiting"}, ":working": {"S": "working"}, ":reason": {"S": reason}},
                ConditionExpression="outcome = :working",
            )

    def _keep(self, text: str) -> tuple[str, str]:
        """Return the attribute that leads to an answer, and its value."""
        content = text.encode()
        if len(content) <= _LARGEST_ANSWER:
            return "answer", text
        if self._bucket is None:
            raise ConfigurationError(f"An answer of {len(content)} bytes needs a bucket, and {BUCKET} names none.")
        from uuid import uuid4

        key = str(uuid4())
        client("s3").put_object(Bucket=self._bucket, Key=key, Body=content, ContentType="application/json")
        return "answer_key", key

    def _update(self, job: str, expression: str, values: dict[str, Any], **condition: str) -> None:
        client("dynamodb").update_item(
            TableName=self._table,
            Key={"job": {"S": job}},
            UpdateExpression=expression,
            ExpressionAttributeValues=values,
            **condition,
        )


def _number(value: float) -> dict[str, str]:
    return {"N": str(int(value))}
