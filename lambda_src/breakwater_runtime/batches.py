"""One call per record of a batch, and only the records that failed come again."""

from __future__ import annotations

import logging
from functools import wraps
from typing import TYPE_CHECKING, Any

from breakwater_runtime.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Record = dict[str, Any]

_log = logging.getLogger(__name__)


def batch(handler: Callable[[Record, Any], object]) -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    """Make a handler of batches out of a function that handles one record.

    Standard queues: each record stands for itself. FIFO queues: after the first failure in a message group, the rest of
    that group is left for later, so that its order holds. Kinesis and DynamoDB Streams: Lambda comes back to the first
    failure and delivers everything from there on again, so the batch ends with it. A record that is delivered twice is
    normal: make the work idempotent. The mapping must report batch item failures, as `DecoupledInvocation` makes it.

    A record is not begun when less time is left than the slowest record before it took; it is reported as failed, and
    comes again, instead of being killed half-way. With a tumbling window the state is the function's own affair: don't
    use `batch` there.

    Parameters
    ----------
    handler
        Called with one record as Lambda delivers it, and the context. What it returns is ignored; an exception means
        that the record failed. The record's id, the exception's type and its place are logged; neither its message nor
        the payload.

    Returns
    -------
    callable
        A Lambda handler that returns `{"batchItemFailures": [{"itemIdentifier": …}, …]}`.

    Raises
    ------
    TypeError
        By that handler, for an event without records.
    ValueError
        By that handler, for a record that comes from neither SQS, Kinesis nor DynamoDB Streams.
    """

    @wraps(handler)
    def lambda_handler(event: dict[str, Any], context: Any = None) -> dict[str, Any]:
        return {"batchItemFailures": [{"itemIdentifier": item} for item in _failures(handler, event, context)]}

    return lambda_handler


def _failures(handler: Callable[[Record, Any], object], event: dict[str, Any], context: Any) -> Iterator[str]:
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
            handler(record, context)
        except Exception as error:
            _log.error("Record %s failed: %s", identifier, _describe(error))
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
