"""A bad record neither blocks its shard nor is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..event_source import event_sources
from ..rule import Finding, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..assembly import Assembly

# CloudFormation's default of both limits, for no limit.
_UNLIMITED = -1


def check(assembly: Assembly) -> Iterator[Finding]:
    """Find stream mappings without limits of retries, and those without a destination."""
    for event_source in event_sources(assembly):
        mapping = event_source.mapping
        if not event_source.is_stream:
            continue
        reader = event_source.function.name if event_source.function else mapping.name
        limits = [
            mapping.number(name, default=_UNLIMITED) for name in ("MaximumRetryAttempts", "MaximumRecordAgeInSeconds")
        ]
        if all(limit == _UNLIMITED for limit in limits):
            problem = f"The stream of {reader} retries a failing batch until its records expire."
            yield Finding(mapping, "Properties.MaximumRetryAttempts", problem)
        if mapping.get("DestinationConfig", "OnFailure", "Destination") is None:
            problem = f"The stream of {reader} has no destination for records that failed."
            yield Finding(mapping, "Properties.DestinationConfig", problem)


RULE = Rule(
    id="StreamFailureHandling",
    requires="A stream's mapping limits retries or the age of records, and has a destination on failure.",
    reason="By default one bad record blocks its shard for as long as the stream keeps it, and is gone then.",
    fix="Set MaximumRetryAttempts or MaximumRecordAgeInSeconds, and DestinationConfig.OnFailure; a bucket keeps the "
    "records themselves, a queue or topic only where they were.",
    link="https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html",
    check=check,
)
