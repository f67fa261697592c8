"""Which job a record stands for, and doing each job once."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any

from breakwater_runtime.errors import ConfigurationError
from breakwater_runtime.results import TABLE, Results

if TYPE_CHECKING:
    from collections.abc import Callable

    Record = dict[str, Any]

JOB = "breakwater-job"
"""The message attribute, or the attribute of an item, by which the front door names a job."""
# The front door puts "breakwater-job <job> " before the body of a Kinesis record. 15 bytes are 20 characters of base64.
_PREFIX = b64encode(f"{JOB} ".encode()).decode()
_WITHOUT_CONTEXT_SECONDS = 900  # as long as any invocation may last


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
        job, record = _front_door(record)
        job = job or self._key(record, identifier)
        if job is None or self._results is None:
            handler(record, context)
            return
        if not self._results.claim(job, _busy_seconds(record, context)):
            return
        try:
            value = handler(record, context)
        except Exception as error:
            self._results.failed(job, error)
            raise
        self._results.done(job, value)

    def _key(self, record: Record, identifier: str) -> str | None:
        if not self._idempotency:
            return None
        key = _identity(record, identifier) if self._idempotency is True else self._idempotency(record)
        # No job of the front door has a slash in its name.
        return None if key is None else f"record/{key}"


def _identity(record: Record, identifier: str) -> str:
    # A sequence number is a record's own within its stream alone, and one table keeps what a function reads of several.
    return identifier if "messageId" in record else f"{record['eventSourceARN']} {identifier}"


def _busy_seconds(record: Record, context: Any) -> float:
    if "messageId" not in record:
        # A shard is read by one invocation at a time, so whoever finds a stream's job claimed follows one that died.
        # And Lambda doesn't hide a record as a queue does: it would spend all its retries on waiting.
        return -1
    return 1 + (_WITHOUT_CONTEXT_SECONDS if context is None else context.get_remaining_time_in_millis() / 1000)


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
