"""A stream starts no more of a function than there may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..answers import Absent, Unknown
from ..event_source import MAPPING, event_source
from ..rule import Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..resource import Resource


def check(resource: Resource) -> Iterator[Finding]:
    """Compare shards times ParallelizationFactor with the function's reserved concurrency."""
    source = event_source(resource)
    if source.function is None or not source.is_stream or not source.enabled:
        return
    limit = source.function.limit("ReservedConcurrentExecutions")
    factor = resource.number("ParallelizationFactor", default=1)
    if isinstance(limit, Absent | Unknown) or isinstance(factor, Unknown):
        return
    stream = source.stream
    # A table's shards, and those of a stream on demand, are AWS's: there is one at least.
    shards = stream.limit("ShardCount") if stream is not None else Unknown()
    count = 1.0 if isinstance(shards, Absent | Unknown) else float(shards)
    if count * factor > limit:
        noun = "shard" if count == 1 else "shards"
        problem = (
            f"{source.function.name} has a reserved concurrency of {limit:g}; {count:g} {noun} × {factor:g} batches "
            f"each ask for {count * factor:g}."
        )
        yield Finding(
            resource,
            "Properties.ParallelizationFactor",
            problem,
            found=f"{count * factor:g} at once",
            needed=f"at most {limit:g}",
            others=(source.function, *filter(None, [source.source, stream])),
            based_on=(limit, factor, shards),
        )


RULE = Rule(
    id="StreamConcurrency",
    requires="The number of shards times ParallelizationFactor is at most the function's reserved concurrency.",
    reason="Throttled batches are retried again and again. The reader falls behind, and records may expire unread.",
    fix="Lower ParallelizationFactor, or raise ReservedConcurrentExecutions.",
    link="https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-parameters.html",
    severity=Severity.NOTE,
    of=(MAPPING,),
    check=check,
)
