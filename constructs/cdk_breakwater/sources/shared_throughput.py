"""How many invocations read one stream with the throughput that all its readers share."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from aws_cdk import Annotations

if TYPE_CHECKING:
    from constructs import IConstruct

    from .buffer import Buffer

# Two may read a shard of a DynamoDB stream at once (Amazon DynamoDB Developer Guide, "Quotas"). A shard of Kinesis
# takes in 1 MB/s and gives out 2 MB/s to all its shared readers together (Amazon Kinesis Data Streams Developer Guide,
# "Quotas and limits"), so that a third one cannot keep pace with a shard in full use.
MOST_READERS = 2

_READERS: Counter[IConstruct] = Counter()


def add_shared_reader(invocation: Buffer, source: IConstruct) -> None:
    """Count an invocation that reads a stream or the stream of a table, and warn of one too many."""
    _READERS[source] += 1
    if _READERS[source] > MOST_READERS:
        Annotations.of(invocation).add_warning_v2(
            "cdk-breakwater:shared-readers",
            f"It is reader {_READERS[source]} of {source.node.path}, whose shards serve {MOST_READERS}: reads are "
            "throttled, and every reader falls behind. "
            'Read a Kinesis stream with consumer="enhanced"; let one function pass on the changes of a table.',
        )
