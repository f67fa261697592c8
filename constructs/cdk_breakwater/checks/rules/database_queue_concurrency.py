"""A backlog does not start more of a function than its database carries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...limits.sqs import UNLIMITED_CONCURRENCY
from ..answers import ABSENT, Block
from ..concurrency import reserved
from ..connections import direct_connections
from ..event_source import MAPPING, event_source
from ..rule import Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..resource import Resource


def check(resource: Resource) -> Iterator[Finding]:
    """Find a queue's mapping without a maximum, whose function opens connections and has no limit itself."""
    source = event_source(resource)
    function = source.function
    if function is None or not source.is_queue or not source.enabled or reserved(function) is not ABSENT:
        return
    if resource.get("ScalingConfig", "MaximumConcurrency") is not ABSENT:
        return
    if isinstance(resource.get("ProvisionedPollerConfig"), Block):
        return
    direct = direct_connections(function)
    if direct:
        yield Finding(
            resource,
            "Properties.ScalingConfig.MaximumConcurrency",
            f"A backlog starts up to {UNLIMITED_CONCURRENCY:,} of {function.name}, which connects to {direct[0].to}.",
            found=f"up to {UNLIMITED_CONCURRENCY:,}",
            needed="MaximumConcurrency",
            evidence=direct[0].evidence,
            others=(function, *(connection.server.resource for connection in direct if connection.server)),
        )


RULE = Rule(
    id="DatabaseQueueConcurrency",
    requires="If a function connects to a database and has no reserved concurrency, the event source mapping of its "
    "queue has a MaximumConcurrency.",
    reason=f"With a backlog, Lambda runs up to {UNLIMITED_CONCURRENCY:,} invocations for the mapping, and each of "
    "them opens a connection.",
    fix="Set ScalingConfig.MaximumConcurrency to the function's share of the connections, and "
    "ReservedConcurrentExecutions to at least the same number.",
    link="https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html",
    severity=Severity.DATABASE,
    of=(MAPPING,),
    check=check,
)
