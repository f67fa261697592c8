"""What polls a queue for a function starts no more of it than there may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...limits.sqs import MINIMUM_CONCURRENCY, UNLIMITED_CONCURRENCY
from ..answers import Absent, Amount, Block, Unknown
from ..event_source import sources_of
from ..rule import Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..resource import Resource

# In provisioned mode, unless said otherwise. Source: AWS Lambda Developer Guide, "Using Lambda with Amazon SQS".
_PER_POLLER = 10
_DEFAULT_POLLERS = 200


def check(resource: Resource) -> Iterator[Finding]:
    """Compare the sum of the mappings' concurrency with the function's."""
    sources = [source for source in sources_of(resource) if source.is_queue and source.enabled]
    limit = resource.limit("ReservedConcurrentExecutions")
    if not sources or isinstance(limit, Absent | Unknown):
        return
    limits = {source: _concurrency(source.mapping) for source in sources}
    known = {source: most for source, most in limits.items() if not isinstance(most, Unknown)}
    total = sum(known.values())
    # The least that a mapping can be told is 2.
    least = MINIMUM_CONCURRENCY
    if total <= limit or (total <= least * len(known) and all(most <= least for most in known.values())):
        return
    problem = f"{resource.name} has a reserved concurrency of {limit:g}, and its queues start up to {total:g}."
    yield Finding(
        next(iter(known)).mapping,
        "Properties.ScalingConfig.MaximumConcurrency",
        problem,
        found=f"up to {total:g}",
        needed=f"at most {limit:g} in all"
        if limit >= MINIMUM_CONCURRENCY * len(known)
        else f"reserved {MINIMUM_CONCURRENCY * len(known)} or more",
        others=(resource, *(source.mapping for source in known)),
        based_on=(limit, *known.values()),
    )


def _concurrency(mapping: Resource) -> Amount | Unknown:
    if isinstance(mapping.get("ProvisionedPollerConfig"), Block):
        pollers = mapping.number("ProvisionedPollerConfig", "MaximumPollers", default=_DEFAULT_POLLERS)
        return pollers if isinstance(pollers, Unknown) else Amount(pollers * _PER_POLLER, pollers.parameter)
    return mapping.number("ScalingConfig", "MaximumConcurrency", default=UNLIMITED_CONCURRENCY)


RULE = Rule(
    id="MappingConcurrency",
    requires="The MaximumConcurrency of all queues of a function adds up to at most the function's reserved "
    "concurrency.",
    reason="A message that is received while the function is throttled has used up one of its receives. It can reach "
    "the dead-letter queue without ever having been processed.",
    fix="Set MaximumConcurrency (2 or more) on each event source mapping, and reserve at least their sum.",
    link="https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html",
    severity=Severity.MESSAGES,
    of=("AWS::Lambda::Function",),
    check=check,
)
