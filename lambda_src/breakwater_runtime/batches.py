"""One call per record of a batch, and only the records that failed come again."""

from __future__ import annotations

import logging
import os
from functools import wraps
from typing import TYPE_CHECKING, Any, overload

from breakwater_runtime.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from breakwater_runtime.idempotency import Jobs

    Record = dict[str, Any]
    RecordHandler = Callable[[Record, Any], object]
    BatchHandler = Callable[[dict[str, Any], Any], dict[str, Any]]
    Idempotency = bool | Callable[[Record], str | None] | None

_log = logging.getLogger(__name__)


class FirstRecordFailedError(RuntimeError):
    """The first of several records of a stream failed; Lambda splits the batch after an error, and only then."""


@overload
def batch(handler: RecordHandler, *, idempotency: Idempotency = None) -> BatchHandler: ...
@overload
def batch(handler: None = None, *, idempotency: Idempotency = None) -> Callable[[RecordHandler], BatchHandler]: ...
def batch(
    handler: RecordHandler | None = None, *, idempotency: Idempotency = None
) -> BatchHandler | Callable[[RecordHandler], BatchHandler]:
    """Make a handler of batches out of a function that handles one record.

    Standard queues: each record stands for itself. FIFO queues: after the first failure in a message group, the rest of
    that group is left for later, so that its order holds. Kinesis and DynamoDB Streams: Lambda comes back to the first
    failure and delivers everything from there on again, so the batch ends with it. When that is the first of several
    records, the handler raises: Lambda then splits the batch, until the bad record is alone and is given up alone, and
    not with all that was behind it. A record that is delivered twice is normal: make the work idempotent, or let
    `idempotency` skip what is done. The mapping must report batch item failures, and split batches on errors, as
    `DecoupledInvocation` makes it.

    A record is not begun when less time is left than the slowest record before it took; it is reported as failed, and
    comes again, instead of being killed half-way. With a tumbling window the state is the function's own affair: don't
    use `batch` there.

    Parameters
    ----------
    handler
        Called with one record as Lambda delivers it, and the context. What it returns is the answer of a job that came
        through a front door, else ignored; an exception means that the record failed. The record's id, the exception's
        type and its place are logged; neither its message nor the payload.
    idempotency
        A record whose key is done already is skipped, for as long as results are kept. True: the key is the record's
        id, for records that are delivered twice. A callable: takes the record and returns its key, or None for a record
        that may be done again. Needs the table in BREAKWATER_RESULTS_TABLE, which `keep_results` or a front door makes.
        Default: jobs of a front door alone. An invocation that dies between its work and the table's write does the
        work again.

    Returns
    -------
    callable
        A Lambda handler that returns `{"batchItemFailures": [{"itemIdentifier": …}, …]}`.

    Raises
    ------
    TypeError
        By that handler, for an event without records.
    FirstRecordFailedError
        By that handler, when the first of several records of a stream failed.
    ValueError
        By that handler, for a record that comes from neither SQS, Kinesis nor DynamoDB Streams.
    ConfigurationError
        When idempotency is asked for and no table is named.
    """
    if handler is None:
        return lambda handler: batch(handler, idempotency=idempotency)
    work, jobs = handler, _jobs(idempotency)

    @wraps(handler)
    def lambda_handler(event: dict[str, Any], context: Any = None) -> dict[str, Any]:
        return {"batchItemFailures": [{"itemIdentifier": item} for item in _failures(work, jobs, event, context)]}

    return lambda_handler


def _jobs(idempotency: Idempotency) -> Jobs | None:
    if not idempotency and "BREAKWATER_RESULTS_TABLE" not in os.environ:
        return None
    from breakwater_runtime.idempotency import Jobs

    return Jobs(idempotency)


def _failures(handler: RecordHandler, jobs: Jobs | None, event: dict[str, Any], context: Any) -> Iterator[str]:
    deadline = Deadline(context) if context is not None else None
    blocked: set[str] = set()
    slowest = before = 0.0
    records = _records(event)
    for position, record in enumerate(records):
        identifier, group, ends_batch = _place(record)
        if deadline:
            before = deadline.remaining()
            if before <= slowest:
                _log.warning("Out of time: %d of %d records come again.", len(records) - position, len(records))
                yield from (identifier,) if ends_batch else (_place(left)[0] for left in records[position:])
                return
        if group is not None and group in blocked:
            yield identifier
            continue
        try:
            if jobs is None:
                handler(record, context)
            else:
                jobs.run(handler, record, identifier, context)
        except Exception as error:
            _log.error("Record %s failed: %s", identifier, _describe(error))
            if ends_batch and position == 0 and len(records) > 1:
                raise FirstRecordFailedError(identifier) from None  # the log shows no cause: it may quote the record
            yield identifier
            if ends_batch:
                return
            if group is not None:
                blocked.add(group)
        if deadline:
            slowest = max(slowest, before - deadline.remaining())


def _describe(error: Exception) -> str:
    """Name the exception and where it was raised; what it says may quote the record."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else ""
    return type(error).__name__ + place


def _records(event: dict[str, Any]) -> list[Record]:
    records = event.get("Records") if isinstance(event, dict) else None
    if not isinstance(records, list):
        raise TypeError(f"batch needs an event with Records, from a queue or stream (given {type(event).__name__}).")
    return records


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
