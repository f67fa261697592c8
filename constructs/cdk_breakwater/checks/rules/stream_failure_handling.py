"""A bad record neither blocks its shard nor is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..answers import ABSENT, Unknown
from ..event_source import MAPPING, event_source
from ..rule import Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..resource import Resource

# CloudFormation's default of both limits, for no limit.
_UNLIMITED = -1
_LIMITS = ("MaximumRetryAttempts", "MaximumRecordAgeInSeconds")


def check(resource: Resource) -> Iterator[Finding]:
    """Find a stream mapping without a limit of retries, or without a destination."""
    source = event_source(resource)
    if not source.is_stream or not source.enabled:
        return
    limits = [resource.number(name, default=_UNLIMITED) for name in _LIMITS]
    missing = []
    if all(not isinstance(limit, Unknown) and limit == _UNLIMITED for limit in limits):
        missing.append(("MaximumRetryAttempts", "retries a failing batch until its records expire"))
    if resource.get("DestinationConfig", "OnFailure", "Destination") is ABSENT:
        missing.append(("DestinationConfig", "has no destination for records that failed"))
    if missing:
        yield Finding(
            resource,
            f"Properties.{missing[0][0]}",
            f"The stream of {source.reader} {', and '.join(text for _, text in missing)}.",
            found="neither limit nor destination" if len(missing) > 1 else f"no {missing[0][0]}",
            needed=" and ".join(name for name, _ in missing),
        )


RULE = Rule(
    id="StreamFailureHandling",
    requires="The event source mapping of a stream limits retries or the age of records, and has an on-failure "
    "destination.",
    reason="By default, one bad record blocks its shard for as long as the stream keeps it, and is then lost.",
    fix="Set MaximumRetryAttempts or MaximumRecordAgeInSeconds, and DestinationConfig.OnFailure. A bucket keeps the "
    "records themselves. A queue or topic keeps only their position in the stream.",
    link="https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html",
    severity=Severity.MESSAGES,
    of=(MAPPING,),
    check=check,
)
