"""An event that a function fails on for good is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..answers import ABSENT
from ..asynchronous import asynchronous_sources, calls_no_other
from ..callers import called_by_schedule
from ..referring_resources import referring_to
from ..rule import Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..resource import Resource


# The qualifier of a function that is called without one.
_UNQUALIFIED = "$LATEST"


def check(resource: Resource) -> Iterator[Finding]:
    """Find a function that is called asynchronously, and keeps no event that it failed on."""
    if resource.get("DeadLetterConfig", "TargetArn") is not ABSENT:
        return
    configured = [
        config
        for config in referring_to(resource, "AWS::Lambda::EventInvokeConfig", "FunctionName", of=resource.type)
        if config.get("DestinationConfig", "OnFailure", "Destination") is not ABSENT
    ]
    sources = [
        source
        for source, target in asynchronous_sources(resource)
        if not any(_is_for(config, source, target) for config in configured)
    ]
    if not sources:
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


def _is_for(config: Resource, source: Resource, target: Resource) -> bool:
    """Tell whether a configuration may be that of what a source calls: the function itself, an alias or a version."""
    qualifier = config.get("Qualifier")
    if not isinstance(qualifier, str) or not calls_no_other(source, target):
        return True
    if target.type == "AWS::Lambda::Alias":
        name = target.text("Name")
        # An alias leads to a version, which may have a configuration of its own.
        return qualifier == name or not isinstance(name, str) or qualifier.isdecimal()
    return qualifier == _UNQUALIFIED if target.type == "AWS::Lambda::Function" else qualifier != _UNQUALIFIED


RULE = Rule(
    id="AsynchronousFailureDestination",
    requires="A function that is invoked asynchronously has an on-failure destination or a dead-letter queue.",
    reason="After two retries, Lambda discards the event, and nothing shows that it existed.",
    fix="Set DestinationConfig.OnFailure of an AWS::Lambda::EventInvokeConfig, or the function's DeadLetterConfig.",
    link="https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html",
    severity=Severity.MESSAGES,
    of=("AWS::Lambda::Function",),
    check=check,
    trial=True,
)
