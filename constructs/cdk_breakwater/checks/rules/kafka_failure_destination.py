"""A batch of Kafka that fails is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..answers import ABSENT
from ..event_source import MAPPING, event_source
from ..rule import Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..resource import Resource


# Mappings of Amazon MQ and DocumentDB take no destination: AWS Lambda Developer Guide, "CreateEventSourceMapping".
_KAFKA = (
    "AmazonManagedKafkaEventSourceConfig",
    "SelfManagedKafkaEventSourceConfig",
    "SelfManagedEventSource",
    "Topics",  # those of a broker are Queues
)


def check(resource: Resource) -> Iterator[Finding]:
    """Find a mapping of Kafka without a destination for batches that failed."""
    source = event_source(resource)
    kafka = any(resource.get(name) is not ABSENT for name in _KAFKA) or source.is_kafka
    if kafka and source.enabled and resource.get("DestinationConfig", "OnFailure", "Destination") is ABSENT:
        yield Finding(
            resource,
            "Properties.DestinationConfig",
            f"{source.reader} reads Kafka and has no destination for batches that failed.",
            found="no destination",
            needed="DestinationConfig.OnFailure",
        )


RULE = Rule(
    id="KafkaFailureDestination",
    requires="An event source mapping of Kafka has an on-failure destination.",
    reason="Lambda retries a failed batch until it expires. Meanwhile, the batch blocks its partition.",
    fix="Set DestinationConfig.OnFailure to a queue, topic or bucket, and set MaximumRetryAttempts.",
    link="https://docs.aws.amazon.com/lambda/latest/dg/kafka-on-failure.html",
    severity=Severity.MESSAGES,
    of=(MAPPING,),
    check=check,
    trial=True,
)
