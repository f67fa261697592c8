"""An event that a function fails on for good is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..answers import ABSENT
from ..asynchronous import asynchronous_sources
from ..callers import called_by_schedule
from ..pointing import pointing_at
from ..rule import Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..resource import Resource


def check(resource: Resource) -> Iterator[Finding]:
    """Find a function that is called asynchronously, and keeps no event that it failed on."""
    sources = asynchronous_sources(resource)
    if not sources or resource.get("DeadLetterConfig", "TargetArn") is not ABSENT or _has_destination(resource):
        return
    yield Finding(
        resource,
        "Properties.DeadLetterConfig",
        f"{resource.name} is called asynchronously by {sources[0].name}, and keeps no event that it failed on.",
        found="neither destination nor dead-letter queue",
        needed="an on-failure destination",
        others=tuple(sources),
        # The next tick comes by itself.
        severity=Severity.NOTE if called_by_schedule(resource) else None,
    )


def _has_destination(function: Resource) -> bool:
    return any(
        config.get("DestinationConfig", "OnFailure", "Destination") is not ABSENT
        for config in pointing_at(function, "AWS::Lambda::EventInvokeConfig", "FunctionName", of=function.type)
    )


RULE = Rule(
    id="AsynchronousFailureDestination",
    requires="A function that is called asynchronously has a destination on failure or a dead-letter queue.",
    reason="After two more tries Lambda drops the event, and nothing tells that it was there.",
    fix="Set DestinationConfig.OnFailure of an AWS::Lambda::EventInvokeConfig, or DeadLetterConfig.",
    link="https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html",
    severity=Severity.MESSAGES,
    of=("AWS::Lambda::Function",),
    check=check,
    trial=True,
)
