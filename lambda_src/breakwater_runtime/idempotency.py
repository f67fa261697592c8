"""Which job a record stands for, and doing each job once."""

from __future__ import annotations

import logging
from base64 import b64decode, b64encode
from time import sleep
from typing import TYPE_CHECKING, Any

from breakwater_runtime.deadline import Deadline
from breakwater_runtime.environment import LONGEST_FUNCTION_SECONDS
from breakwater_runtime.errors import ConfigurationError
from breakwater_runtime.results import TABLE, JobBusy, Results

if TYPE_CHECKING:
    from collections.abc import Callable

    Record = dict[str, Any]

JOB = "breakwater-job"
"""The message attribute, or the attribute of an item, by which the front door names a job."""
# The front door puts "breakwater-job <job> " before the body of a Kinesis record. 15 bytes are 20 characters of base64.
_PREFIX = b64encode(f"{JOB} ".encode()).decode()
# A partition key has up to 2,048 bytes (Amazon DynamoDB Developer Guide, "Quotas"); a longer one is told by its hash.
_LONGEST_KEY = 1_900
# How often a stream's record asks for a job that another invocation works on, and what is left for the work itself.
_BUSY_PAUSE, _BUSY_REST = 0.25, 1.0
# To note what became of a job when the time is over: within the margin, and after the work, which must not be redone.
_NOTE_SECONDS = 0.2
_log = logging.getLogger(__name__)


class Jobs:
    """Does the job of each record once, and keeps what came of it.

    Parameters
    ----------
    idempotency
        True: each record is a job of its own, by its id. A callable: returns a record's key, or None for a record that
        may be done again. None: only what came through the front door is a job.
    """

    def __init__(self, idempotency: bool | Callable[[Record], str | None] | None) -> None:
        self._idempotency = idempotency
        self._results = Results.from_environment()
        if self._results is None and idempotency:
            raise ConfigurationError(
                f"batch(idempotency=…) needs a table, and {TABLE} names none. "
                "DecoupledInvocation.keep_results makes one; another has the key 'job', a string, and expires "
                "by 'delete_after'."
            )

    def run(self, handler: Callable[[Record, Any], object], record: Record, identifier: str, context: Any) -> None:
        """Call the handler, unless the record's job is done."""
        asked, record = _front_door(record)
        job = asked or self._key(record, identifier)
        if job is None or self._results is None:
            handler(record, context)
            return
        owner, deadline = _owner(record), Deadline(context)
        if not _claim(self._results, job, owner, record, context):
            return
        try:
            value = handler(record, context)
        except Exception as error:
            self._results.failed(job, owner, error, deadline.at_least(_NOTE_SECONDS))
            raise
        try:
            self._results.done(job, value, deadline.at_least(_NOTE_SECONDS))
        except Exception:
            if asked:
                raise  # somebody waits for the answer
            # It is done: to say that it failed would do it again. A copy that comes while it can't be looked up does.
            _log.exception("Record %s is done, and could not be noted as done", identifier)

    def _key(self, record: Record, identifier: str) -> str | None:
        if not self._idempotency:
            return None
        key = _identity(record, identifier) if self._idempotency is True else self._idempotency(record)
        if key is None:
            return None
        if not isinstance(key, str | int) or isinstance(key, bool) or key == "":
            raise ConfigurationError(
                f"batch(idempotency=…) gave {key!r} for record {identifier}. It gives a string that is not empty, "
                "the record's own; or None for a record that may be done again."
            )
        # No job of the front door has a slash in its name.
        return _short(f"record/{key}")


def _claim(results: Results, job: str, owner: str, record: Record, context: Any) -> bool:
    """Claim a job; return False if it is done.

    A queue hides the record for a while, so a job that is another's comes again. A stream doesn't: it would spend all
    its retries within seconds, so its record waits here.
    """
    deadline = Deadline(context)
    while True:
        try:
            return results.claim(job, owner, _busy_seconds(context), deadline)
        except JobBusy:
            if "messageId" in record or deadline.remaining() < _BUSY_REST:
                raise
        sleep(_BUSY_PAUSE)


def _identity(record: Record, identifier: str) -> str:
    # A sequence number is a record's own within its stream alone, and one table keeps what a function reads of several.
    return identifier if "messageId" in record else f"{record['eventSourceARN']} {identifier}"


def _owner(record: Record) -> str:
    """Name whose claim it is.

    Of a stream, one invocation at a time gets the records of one shard and partition key, or of one item: whoever finds
    such a claim follows an invocation that died. A message of a queue may be delivered while another invocation works
    on it, so each has a claim of its own.
    """
    if "messageId" in record:
        from uuid import uuid4

        return str(uuid4())
    stream = record.get("eventSourceARN", "")
    if "kinesis" in record:
        shard = record.get("eventID", "").partition(":")[0]  # of "shardId-000000000006:4959…"
        return _short(f"{stream} {shard} {record['kinesis']['partitionKey']}")
    import json

    return _short(f"{stream} {json.dumps(record['dynamodb'].get('Keys'), sort_keys=True)}")


def _short(name: str) -> str:
    content = name.encode(errors="surrogatepass")
    text = name.encode(errors="ignore")  # without halves of surrogate pairs, which no table takes
    if content == text and len(text) <= _LONGEST_KEY:
        return name
    from hashlib import sha256

    return f"{text.decode()[:100]} {sha256(content).hexdigest()}"


def _busy_seconds(context: Any) -> float:
    return 1 + (LONGEST_FUNCTION_SECONDS if context is None else context.get_remaining_time_in_millis() / 1000)


def _front_door(record: Record) -> tuple[str | None, Record]:
    """Return the job's name, None for a record from elsewhere, and the record as its sender meant it."""
    if "kinesis" in record:
        if not record["kinesis"]["data"].startswith(_PREFIX):
            return None, record
        _, job, body = b64decode(record["kinesis"]["data"]).split(b" ", 2)
        return job.decode(), {**record, "kinesis": {**record["kinesis"], "data": b64encode(body).decode()}}
    if "dynamodb" in record:
        inserted = record["dynamodb"].get("NewImage", {}) if record.get("eventName") == "INSERT" else {}
        return inserted.get(JOB, {}).get("S"), record
    return record.get("messageAttributes", {}).get(JOB, {}).get("stringValue"), record
