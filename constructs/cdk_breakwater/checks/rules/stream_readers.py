"""A stream has no more readers than its shards serve."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from ..event_source import EventSource, event_sources
from ..rule import Finding, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..assembly import Assembly
    from ..template import Resource

# Source: Amazon DynamoDB Developer Guide, "Quotas" (two readers of a shard, one where the table is replicated: the
# replication reads too); Amazon Kinesis Data Streams Developer Guide, "Quotas and limits" (a shard takes in 1 MB/s and
# gives out 2 MB/s to all its shared readers together).
_READERS = 2
_READERS_OF_A_REPLICATED_TABLE = 1


def check(assembly: Assembly) -> Iterator[Finding]:
    """Count the mappings on each stream that share its throughput."""
    readers: defaultdict[Resource | str, list[EventSource]] = defaultdict(list)
    for event_source in event_sources(assembly):
        stream = _shared_stream(event_source)
        if stream is not None and event_source.mapping.get("Enabled") is not False:
            readers[stream].append(event_source)
    for stream, sources in readers.items():
        most = _READERS_OF_A_REPLICATED_TABLE if _is_replicated(stream) else _READERS
        name = stream if isinstance(stream, str) else stream.name
        for event_source in sources[most:]:
            function = event_source.function.name if event_source.function else event_source.mapping.name
            problem = f"{function} is one of {len(sources)} readers of {name}, whose shards serve {most}."
            yield Finding(event_source.mapping, "Properties.EventSourceArn", problem)


def _shared_stream(event_source: EventSource) -> Resource | str | None:
    if not event_source.is_stream:
        return None
    if event_source.source is not None:
        # A registered consumer has a throughput of its own.
        return None if event_source.source.type == "AWS::Kinesis::StreamConsumer" else event_source.source
    arn: Any = event_source.mapping.get("EventSourceArn")
    return arn if isinstance(arn, str) and "/consumer/" not in arn else None


def _is_replicated(stream: Resource | str) -> bool:
    if isinstance(stream, str) or stream.type != "AWS::DynamoDB::GlobalTable":
        return False
    replicas = stream.get("Replicas")
    return isinstance(replicas, list) and len(replicas) > 1


RULE = Rule(
    id="StreamReaders",
    requires="At most 2 mappings share the throughput of a stream, and 1 that of a table with replicas.",
    reason="Beyond that, reads are throttled, every reader falls behind, and records may expire unread.",
    fix="Read a Kinesis stream by a registered consumer (enhanced fan-out); let one function pass on those of a table.",
    link="https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-create.html",
    check=check,
)
