"""A large batch has the time to fill."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...limits.sqs import MAXIMUM_BATCH_WITHOUT_WINDOW
from ..answers import Unknown
from ..event_source import MAPPING, event_source
from ..rule import Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..resource import Resource


def check(resource: Resource) -> Iterator[Finding]:
    """Find a queue's mapping with a batch size that Lambda refuses."""
    source = event_source(resource)
    if not source.is_queue:
        return
    size = resource.number("BatchSize", default=MAXIMUM_BATCH_WITHOUT_WINDOW)
    window = resource.number("MaximumBatchingWindowInSeconds", default=0)
    fifo = source.source.flag("FifoQueue") if source.source else Unknown()
    if isinstance(size, Unknown) or isinstance(window, Unknown) or size <= MAXIMUM_BATCH_WITHOUT_WINDOW:
        return
    if fifo is True:
        problem, needed = "a FIFO queue gives at most 10", "at most 10"
    elif window < 1:
        problem, needed = "more than 10 need a window", "a window of 1 s or more"
    else:
        return
    yield Finding(
        resource,
        "Properties.BatchSize",
        f"{resource.name} has a BatchSize of {size:g} and a window of {window:g} s: {problem}.",
        found=f"BatchSize {size:g}",
        needed=needed,
        based_on=(size, window),
    )


RULE = Rule(
    id="BatchWindow",
    requires="The event source mapping of a queue has a batching window if its BatchSize is above 10. For a FIFO "
    "queue, BatchSize is at most 10.",
    reason="Lambda refuses the event source mapping, and the deployment is rolled back.",
    fix="Set MaximumBatchingWindowInSeconds to 1 or more, or lower BatchSize.",
    link="https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html",
    severity=Severity.DEPLOYMENT,
    of=(MAPPING,),
    check=check,
)
