"""What became of each job: one item per job in DynamoDB, and large answers in S3."""

from __future__ import annotations

import json
import logging
import os
from time import time
from typing import TYPE_CHECKING, Any

from breakwater_runtime._aws import ANSWER_SECONDS, ask, client, is_transient
from breakwater_runtime.environment import variable
from breakwater_runtime.errors import BreakwaterError, ConfigurationError

if TYPE_CHECKING:
    from breakwater_runtime.deadline import Deadline

TABLE = variable("RESULTS_TABLE")
BUCKET = variable("RESULTS_BUCKET")
SECONDS = variable("RESULTS_SECONDS")
# An item holds up to 400 KB, its other attributes included (Amazon DynamoDB Developer Guide, "Quotas").
_LARGEST_ANSWER = 390_000
# A sentence for the one who asked; the item has room for more, a caller's patience has not.
_LONGEST_REASON = 2_000
# Longer than SQS keeps a message: 14 days (Amazon SQS Developer Guide, "Message quotas").
_UNFINISHED_SECONDS = 15 * 86_400
# New, given back after a failure, dead-lettered and sent again, left by an invocation that has ended since, done so
# long ago that its key may be used anew, or its owner's own.
_FREE = (
    "attribute_not_exists(outcome) OR outcome IN (:asked, :waiting, :failed) "
    "OR (outcome = :working AND (busy_until < :now OR claimed_by = :owner)) OR expires < :now"
)
_OUTCOMES = {f":{outcome}": {"S": outcome} for outcome in ("asked", "waiting", "working", "failed")}
_log = logging.getLogger(__name__)


class JobFailed(Exception):  # noqa: N818 -- what happened, in the words of the front door
    """A failure whose reason the caller may read; of any other exception the front door tells the type alone.

    The record is tried again like any that failed, and the reason stands until a later try succeeds.

    Parameters
    ----------
    reason
        For the one who asked, in plain words. What is no string is told as `str` shows it; 2,000 characters are kept.
    """

    def __init__(self, reason: object) -> None:
        self.reason = _readable(str(reason))  # a log takes half a surrogate pair no more than a table does
        super().__init__(self.reason)


class JobBusy(BreakwaterError):  # noqa: N818 -- a state, not a fault
    """Another invocation works on the same job: the record comes again."""


class Results:
    """The table of jobs, as the function that does them sees it."""

    def __init__(self, table: str, seconds: int, bucket: str | None) -> None:
        # made at import, where Lambda gives a whole processor, and not in the first invocation's time
        self._dynamodb = client("dynamodb", answer_seconds=ANSWER_SECONDS)
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

    def claim(self, job: str, owner: str, busy_seconds: float, deadline: Deadline) -> bool:
        """Take a job for as long as this invocation may last.

        Parameters
        ----------
        job
            Its name.
        owner
            Whose claim it is: a claim is its owner's, who may take it anew at once.
        busy_seconds
            After how long it is anybody's.
        deadline
            When to give up.

        Returns
        -------
        bool
            False when the job is done already.

        Raises
        ------
        JobBusy
            When it is another owner's.
        """
        now = time()
        try:
            self._update(
                job,
                "SET outcome = :working, claimed_by = :owner, busy_until = :busy_until, delete_after = :delete_after "
                "REMOVE expires, answer, answer_key",
                {
                    **_OUTCOMES,
                    ":now": _number(now),
                    ":owner": {"S": owner},
                    ":busy_until": _number(now + busy_seconds),
                    ":delete_after": _number(now + _UNFINISHED_SECONDS),
                },
                deadline,
                ConditionExpression=_FREE,
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException as error:
            if error.response.get("Item", {}).get("outcome") == {"S": "done"}:
                return False
            raise JobBusy("Another invocation works on the same job.") from error
        return True

    def done(self, job: str, value: object, deadline: Deadline) -> None:
        """Store what the function returned; what JSON doesn't know is stored as its string.

        A job whose answer cannot be stored is done all the same: it is noted without one, and with the reason.
        """
        now = time()
        expires = now + self._seconds
        try:
            name, answer = self._keep(_json(value), deadline)
        except Exception as error:
            _log.exception("Job %s is done, but its answer could not be stored", job)
            name, answer = "reason", f"The job is done, but its answer could not be stored: {type(error).__name__}."
        others = [other for other in ("busy_until", "claimed_by", "reason", "answer", "answer_key") if other != name]
        self._update(
            job,
            f"SET outcome = :done, {name} = :answer, expires = :expires, delete_after = :delete_after "
            f"REMOVE {', '.join(others)}",
            {
                ":done": {"S": "done"},
                ":answer": {"S": answer},
                ":expires": _number(expires),
                # As long again, the job is known to have been, and the front door says 410.
                ":delete_after": _number(expires + self._seconds),
            },
            deadline,
        )

    def failed(self, job: str, owner: str, error: Exception, deadline: Deadline) -> None:
        """Give a job back, with the reason of its last failure."""
        reason = error.reason if isinstance(error, JobFailed) else type(error).__name__
        try:
            self._update(
                job,
                "SET outcome = :waiting, reason = :reason REMOVE busy_until, claimed_by",
                {
                    ":waiting": {"S": "waiting"},
                    ":working": {"S": "working"},
                    ":owner": {"S": owner},
                    ":reason": {"S": _readable(reason)[:_LONGEST_REASON]},
                },
                deadline,
                ConditionExpression="outcome = :working AND claimed_by = :owner",
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            pass  # The claim has run out, and it is another's now.
        except Exception:
            # The claim runs out by itself. What matters is why the job failed, which the caller raises.
            _log.exception("Job %s could not be given back", job)

    def _keep(self, text: str, deadline: Deadline) -> tuple[str, str]:
        """Return the attribute that leads to an answer, and its value."""
        content = text.encode()
        if len(content) <= _LARGEST_ANSWER:
            return "answer", text
        if self._bucket is None:
            raise ConfigurationError(f"An answer of {len(content)} bytes needs a bucket, and {BUCKET} names none.")
        from uuid import uuid4

        place = {"Bucket": self._bucket, "Key": str(uuid4())}

        def put() -> object:
            s3 = client("s3", answer_seconds=ANSWER_SECONDS)
            return s3.put_object(**place, Body=content, ContentType="application/json")

        ask(f"bucket {self._bucket}", deadline, put, is_transient, answer_seconds=None)
        return "answer_key", place["Key"]

    def _update(self, job: str, expression: str, values: dict[str, Any], deadline: Deadline, **condition: str) -> None:
        def update() -> object:
            return self._dynamodb.update_item(
                TableName=self._table,
                Key={"job": {"S": job}},
                UpdateExpression=expression,
                ExpressionAttributeValues=values,
                **condition,
            )

        # Each update may be sent again: a claim is its owner's, and the others say the same twice.
        ask(f"table {self._table} at {self._dynamodb.meta.endpoint_url}", deadline, update, is_transient)


def _json(value: object) -> str:
    try:
        text = json.dumps(value, default=str, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError:
        # NaN and the infinities, which JSON doesn't know: null, as in JavaScript
        plain = json.loads(json.dumps(value, default=str), parse_constant=lambda _: None)
        text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
    return _readable(text)


def _readable(text: str) -> str:
    """Replace what is no text in UTF-8: half a surrogate pair."""
    return text.encode(errors="replace").decode()


def _number(value: float) -> dict[str, str]:
    return {"N": str(int(value))}
