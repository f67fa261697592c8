"""A stream has no more readers than its shards serve."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...limits.streams import SHARED_READERS, SHARED_READERS_OF_A_REPLICATED_TABLE
from ..answers import Items
from ..event_source import MAPPING, EventSource, event_source, event_sources, readers_of
from ..rule import Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..resource import Resource


def check(resource: Resource) -> Iterator[Finding]:
    """Count the mappings that share the throughput of the stream that one of them reads."""
    stream = _shared_stream(event_source(resource))
    if stream is None:
        return
    if isinstance(stream, str):
        readers = [source for source in event_sources(resource.template.assembly) if _shared_stream(source) == stream]
    else:
        readers = readers_of(stream)
    sources = [source for source in readers if source.enabled]
    most = SHARED_READERS_OF_A_REPLICATED_TABLE if _is_replicated(stream) else SHARED_READERS
    # One finding for all of them, at the first that is too much.
    if len(sources) <= most or sources[most].mapping is not resource:
        return
    name = stream if isinstance(stream, str) else stream.name
    yield Finding(
        resource,
        "Properties.EventSourceArn",
        f"{name} has {len(sources)} readers, and its shards serve {most}: "
        f"{', '.join(source.reader for source in sources)}.",
        found=f"{len(sources)} readers",
        needed=f"at most {most}",
        others=tuple(source.mapping for source in sources),
    )


def _shared_stream(source: EventSource) -> Resource | str | None:
    # A registered consumer has a throughput of its own.
    if not source.is_stream or "/consumer/" in source.arn:
        return None
    if source.source is not None:
        return None if source.source.type == "AWS::Kinesis::StreamConsumer" else source.source
    return source.arn or None


def _is_replicated(stream: Resource | str) -> bool:
    if isinstance(stream, str) or stream.type != "AWS::DynamoDB::GlobalTable":
        return False
    replicas = stream.items("Replicas")
    return isinstance(replicas, Items) and len(list(replicas)) > 1


RULE = Rule(
    id="StreamReaders",
    requires=f"At most {SHARED_READERS} event source mappings share the throughput of a stream, and at most "
    f"{SHARED_READERS_OF_A_REPLICATED_TABLE} that of a table with replicas.",
    reason="Otherwise, reads are throttled, every reader falls behind, and records may expire unread.",
    fix="Read a Kinesis stream with a registered consumer (enhanced fan-out). For a table, let one function pass the "
    "records on.",
    link="https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-create.html",
    severity=Severity.MESSAGES,
    of=(MAPPING,),
    check=check,
)
