"""One message that fails does not repeat its whole batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...limits import sqs, streams
from ..answers import Unknown, texts
from ..event_source import MAPPING, event_source
from ..rule import Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..resource import Resource


def check(resource: Resource) -> Iterator[Finding]:
    """Find a mapping with batches that succeed or fail as a whole."""
    source = event_source(resource)
    if not source.enabled or not (source.is_queue or source.is_stream):
        return
    size = resource.number("BatchSize", default=sqs.DEFAULT_BATCH if source.is_queue else streams.DEFAULT_BATCH)
    # A stream's batch that fails may be halved until the bad record is alone.
    if source.is_stream and resource.flag("BisectBatchOnFunctionError") is not False:
        return
    types = texts(resource.get("FunctionResponseTypes"))
    if isinstance(size, Unknown) or size <= 1 or "ReportBatchItemFailures" in types:
        return
    if not any(isinstance(type_, Unknown) for type_ in types):
        problem = f"{source.reader} gets up to {size:g} records at once and cannot report which of them failed."
        yield Finding(
            resource,
            "Properties.FunctionResponseTypes",
            problem,
            found=f"BatchSize {size:g}",
            needed="ReportBatchItemFailures",
            based_on=(size,),
        )


RULE = Rule(
    id="BatchItemFailures",
    requires="An event source mapping with batches reports failures record by record.",
    reason="Otherwise, one bad record makes the good records of its batch run again, and takes them to the "
    "dead-letter queue.",
    fix="Set FunctionResponseTypes to ReportBatchItemFailures, and return the failed records from the handler.",
    link="https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html",
    severity=Severity.MESSAGES,
    of=(MAPPING,),
    check=check,
)
