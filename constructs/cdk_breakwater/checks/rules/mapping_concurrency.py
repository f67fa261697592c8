"""What polls a queue for a function starts no more of it than there may be."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from ..event_source import EventSource, event_sources
from ..rule import Finding, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..assembly import Assembly
    from ..template import Resource

# Source: AWS Lambda Developer Guide, "Using Lambda with Amazon SQS": up to 1,250 concurrent batches without a maximum;
# in provisioned mode up to 10 per poller, and 200 pollers unless said otherwise.
_UNLIMITED = 1250
_PER_POLLER = 10
_DEFAULT_POLLERS = 200


def check(assembly: Assembly) -> Iterator[Finding]:
    """Compare the sum of the mappings' concurrency with the function's."""
    queues: defaultdict[Resource, list[EventSource]] = defaultdict(list)
    for event_source in event_sources(assembly):
        if event_source.function and event_source.is_queue and event_source.mapping.get("Enabled") is not False:
            queues[event_source.function].append(event_source)
    for function, sources in queues.items():
        reserved = function.number("ReservedConcurrentExecutions")
        limits = [_concurrency(source.mapping) for source in sources]
        known = [limit for limit in limits if limit is not None]
        if reserved is None or sum(known) <= reserved:
            continue
        problem = (
            f"{function.name} has a reserved concurrency of {reserved:g}, and its queues start up to {sum(known):g}."
        )
        for source in sources:
            yield Finding(source.mapping, "Properties.ScalingConfig.MaximumConcurrency", problem)


def _concurrency(mapping: Resource) -> float | None:
    if isinstance(mapping.get("ProvisionedPollerConfig"), dict):
        pollers = mapping.number("ProvisionedPollerConfig", "MaximumPollers", default=_DEFAULT_POLLERS)
        return None if pollers is None else pollers * _PER_POLLER
    return mapping.number("ScalingConfig", "MaximumConcurrency", default=_UNLIMITED)


RULE = Rule(
    id="MappingConcurrency",
    requires="The MaximumConcurrency of a function's queues adds up to no more than its reserved concurrency.",
    reason="A message that is received while the function is throttled has used up one of its receives, and ends in "
    "the dead-letter queue without ever having been tried.",
    fix="Set MaximumConcurrency (2 or more) on each mapping, and a reserved concurrency of at least their sum.",
    link="https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html",
    check=check,
)
