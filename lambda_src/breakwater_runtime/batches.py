"""One call per record of a batch, and only the records that failed come again."""

from __future__ import annotations

import logging
import os
from functools import wraps
from typing import TYPE_CHECKING, Any, overload

from breakwater_runtime._plain import plain, plain_result
from breakwater_runtime.deadline import Deadline, invocation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from breakwater_runtime.idempotency import Jobs

    Record = dict[str, Any]
    RecordHandler = Callable[[Record, Any], object]
    BatchHandler = Callable[[dict[str, Any], Any], dict[str, Any]]
    Idempotency = bool | Callable[[Record], str | None] | None

_log = logging.getLogger(__name__)
# A stream's batch of so few records may come again for each of them, and have retries left.
_FEW = 6
_WEIGHT = 0.1
# What the dispatcher of a quota reads in an answer.
_TOLD = ("quotaUsed", "rateLimits")
_SYNCHRONOUS = "Give it a function that does the work before it returns; asyncio.run() inside it runs a coroutine."


class FirstRecordFailedError(RuntimeError):
    """The first of several records of a stream failed; Lambda splits the batch after an error, and only then."""


class OutOfTimeError(RuntimeError):
    """Too little of a stream's batch fits into the function's timeout; Lambda splits it after an error."""


@overload
def batch(handler: RecordHandler, *, idempotency: Idempotency = None) -> BatchHandler: ...
@overload
def batch(handler: None = None, *, idempotency: Idempotency = None) -> Callable[[RecordHandler], BatchHandler]: ...
def batch(
    handler: RecordHandler | None = None, *, idempotency: Idempotency = None
) -> BatchHandler | Callable[[RecordHandler], BatchHandler]:
    """Make a handler of batches out of a function that handles one record.

    Standard queues: each record stands for itself, and those that came most often are begun first. FIFO queues: after
    the first failure in a message group, the rest of that group is left for later, so that its order holds. Kinesis and
    DynamoDB Streams: Lambda comes back to the first failure and delivers everything from there on again, so the batch
    ends with it. When that is the first of several records, the handler raises: Lambda then splits the batch, until the
    bad record is alone and is given up alone, and not with all that was behind it. A record that is delivered twice is
    normal: make the work idempotent, or let `idempotency` skip what is done. The mapping must report batch item
    failures, and split batches on errors, as `DecoupledInvocation` makes it.

    A record is not begun when less time is left than the slowest record before it took; it is reported as failed, and
    comes again, instead of being killed half-way. To a queue each delivery is a receive, of a message that was not
    begun too: choose a batch that fits the timeout. A stream's batch of which less than half fits is split by an error.
    With a tumbling window the state is the function's own affair: don't use `batch` there.

    Called through a quota, with one record: `RetryAfter` and `QuotaSpent` are raised, and what `used` and `rate_limit`
    return is returned beside the failures. Of several records such a signal is a failure as any other.

    Parameters
    ----------
    handler
        Called with one record as Lambda delivers it, and the context. What it returns is the answer of a job that came
        through a front door, else ignored; an exception means that the record failed, and is logged with its traceback.
    idempotency
        A record whose key is done already is skipped, for as long as results are kept. True: the key is the record's
        id, for records that are delivered twice. A callable: takes the record and returns its key, or None for a record
        that may be done again. Needs the table in BREAKWATER_RESULTS_TABLE, which `keep_results` or a front door makes.
        Default: jobs of a front door alone. An invocation that dies between its work and the table's write does the
        work again.

    Returns
    -------
    callable
        A Lambda handler that returns `{"batchItemFailures": [{"itemIdentifier": …}, …]}`, and of one record what a
        quota is told.

    Raises
    ------
    TypeError
        By that handler, for an event without records.
    FirstRecordFailedError
        By that handler, when the first of several records of a stream failed.
    OutOfTimeError
        By that handler, when less than half of a stream's batch fits into the time that is left.
    ValueError
        By that handler, for a record that comes from neither SQS, Kinesis nor DynamoDB Streams.
    RetryAfter, QuotaSpent
        By that handler, of an event with one record.
    ConfigurationError
        For an async function or a generator, whose call would do nothing; when idempotency is asked for and no table is
        named.
    """
    if handler is None:
        return lambda handler: batch(handler, idempotency=idempotency)
    plain(handler, "batch", _SYNCHRONOUS)
    if callable(idempotency):
        plain(idempotency, "batch(idempotency=…)", "Give it a function that returns the key.")
    batches = _Batches(handler, _jobs(idempotency))

    @wraps(handler)
    def lambda_handler(event: dict[str, Any], context: Any = None) -> dict[str, Any]:
        told: dict[str, Any] = {}
        if context is None:
            failures = list(batches.failures(event, None, told))
        else:
            with invocation(context):
                failures = list(batches.failures(event, context, told))
        return {"batchItemFailures": [{"itemIdentifier": item} for item in failures], **told}

    return lambda_handler


def _jobs(idempotency: Idempotency) -> Jobs | None:
    if not idempotency and "BREAKWATER_RESULTS_TABLE" not in os.environ:
        return None
    from breakwater_runtime.idempotency import Jobs

    return Jobs(idempotency)


class _Batches:
    """The batches of one handler.

    Attributes
    ----------
    usual
        How long a record takes, in seconds: a mean in which the latest records weigh most.
    """

    def __init__(self, handler: RecordHandler, jobs: Jobs | None) -> None:
        self._handler = handler
        self._jobs = jobs
        self.usual = 0.0

    def failures(self, event: dict[str, Any], context: Any, told: dict[str, Any]) -> Iterator[str]:
        """Handle the records, and yield the identifiers of those that come again; note what one alone tells a quota."""

        def call(record: Record, context: Any) -> object:
            result = plain_result(self._handler(record, context), "batch", _SYNCHRONOUS)
            if len(records) == 1 and isinstance(result, dict):
                told.update((word, result[word]) for word in _TOLD if word in result)
            return result

        deadline = Deadline(context) if context is not None else None
        blocked: set[str] = set()
        slowest = 0.0
        records = _in_turn(_records(event))
        if deadline and records:
            self._split_what_cannot_fit(records, deadline)
        before = deadline.remaining() if deadline else 0.0
        for position, record in enumerate(records):
            identifier, group, ends_batch = _place(record)
            if deadline:
                before = deadline.remaining()
                if before <= slowest:
                    yield from self._out_of_time(records, position)
                    return
            if group is not None and group in blocked:
                yield identifier
                continue
            try:
                if self._jobs is None:
                    call(record, context)
                else:
                    self._jobs.run(call, record, identifier, context)
            except Exception as error:
                _pass_signal(error, records)
                _log.exception("Record %s failed: %s: %s", identifier, type(error).__name__, error)
                if ends_batch and position == 0 and len(records) > 1:
                    raise FirstRecordFailedError(identifier) from error
                yield identifier
                if ends_batch:
                    return
                if group is not None:
                    blocked.add(group)
            if deadline:
                took = before - deadline.remaining()
                slowest = max(slowest, took)
                self.usual = took if self.usual == 0 else self.usual + (took - self.usual) * _WEIGHT

    def _split_what_cannot_fit(self, records: list[Record], deadline: Deadline) -> None:
        """Let Lambda split a stream's batch before any of it is begun, so that nothing is done twice for it."""
        ends_batch = _place(records[0])[2]
        if ends_batch and len(records) > 1 and self.usual and 2 * int(deadline.remaining() / self.usual) < len(records):
            raise OutOfTimeError(
                f"{len(records)} records of about {self.usual:.1f} s each, of which less than half fit into the "
                f"{deadline.remaining():.1f} s that are left. Lambda splits the batch; a smaller batch_size saves that."
            )

    def _out_of_time(self, records: list[Record], position: int) -> Iterator[str]:
        left = len(records) - position
        _log.warning("Out of time: %d of %d records come again.", left, len(records))
        identifier, _, ends_batch = _place(records[position])
        if not ends_batch:
            yield from (_place(record)[0] for record in records[position:])
        elif position * 2 >= len(records) or len(records) <= _FEW:
            # At least half is done, or little is left: it ends within as many deliveries as splitting it would take.
            yield identifier
        else:
            raise OutOfTimeError(
                f"{position} of {len(records)} records fitted into the function's time. Lambda splits the batch and "
                "delivers all of it again; a smaller batch_size or a longer timeout saves that."
            )


def _pass_signal(error: Exception, records: list[Record]) -> None:
    """Raise what one record alone tells a quota."""
    from breakwater_runtime.quota_signals import QuotaSpent, RetryAfter

    if len(records) == 1 and isinstance(error, RetryAfter | QuotaSpent):
        raise error


def _records(event: dict[str, Any]) -> list[Record]:
    records = event.get("Records") if isinstance(event, dict) else None
    if not isinstance(records, list):
        raise TypeError(f"batch needs an event with Records, from a queue or stream (given {type(event).__name__}).")
    return records


def _in_turn(records: list[Record]) -> list[Record]:
    """Order a standard queue's messages by how often they came, so that none is given back time after time."""
    if not records or "messageId" not in records[0] or _place(records[0])[1] is not None:
        return records
    return sorted(records, key=lambda record: -int(record.get("attributes", {}).get("ApproximateReceiveCount", 1)))


def _place(record: Record) -> tuple[str, str | None, bool]:
    """Return a record's id, its message group, and whether its failure ends the batch."""
    source = record.get("eventSource")
    if source == "aws:sqs":
        # Only FIFO queues order by group. Standard queues may carry a MessageGroupId too, for fairness among tenants.
        fifo = record.get("eventSourceARN", "").endswith(".fifo")
        return record["messageId"], record["attributes"]["MessageGroupId"] if fifo else None, False
    if source == "aws:kinesis":
        return record["kinesis"]["sequenceNumber"], None, True
    if source == "aws:dynamodb":
        return record["dynamodb"]["SequenceNumber"], None, True
    raise ValueError(f"batch knows records of SQS, Kinesis and DynamoDB Streams (given eventSource={source!r}).")
