"""One message that fails does not repeat its whole batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..event_source import event_sources
from ..rule import Finding, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..assembly import Assembly

# CloudFormation's default of BatchSize for SQS; that of streams is 100.
_QUEUE_BATCH = 10
_STREAM_BATCH = 100


def check(assembly: Assembly) -> Iterator[Finding]:
    """Find mappings with batches that succeed or fail as a whole."""
    for event_source in event_sources(assembly):
        mapping = event_source.mapping
        if not event_source.is_queue and not event_source.is_stream:
            continue
        size = mapping.number("BatchSize", default=_QUEUE_BATCH if event_source.is_queue else _STREAM_BATCH)
        types = mapping.get("FunctionResponseTypes") or []
        if size is not None and size > 1 and isinstance(types, list) and "ReportBatchItemFailures" not in types:
            reader = event_source.function.name if event_source.function else mapping.name
            problem = f"{reader} gets up to {size:g} records at once and cannot report which of them failed."
            yield Finding(mapping, "Properties.FunctionResponseTypes", problem)


RULE = Rule(
    id="BatchItemFailures",
    requires="A mapping with batches reports the failures of single records.",
    reason="Otherwise one bad record makes the good ones around it run again, and takes them along to the dead-letter "
    "queue.",
    fix="Set FunctionResponseTypes to ReportBatchItemFailures, and return the failures from the handler.",
    link="https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html",
    check=check,
)
