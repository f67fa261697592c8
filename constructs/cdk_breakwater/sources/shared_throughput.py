"""How many invocations read one stream with the throughput that all its readers share."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from aws_cdk import Annotations

from ..limits.streams import SHARED_READERS

if TYPE_CHECKING:
    from constructs import IConstruct

    from .buffer import Buffer

_READERS: Counter[IConstruct] = Counter()


def add_shared_reader(invocation: Buffer, source: IConstruct) -> None:
    """Count an invocation that reads a stream or the stream of a table, and warn of one too many."""
    _READERS[source] += 1
    if _READERS[source] > SHARED_READERS:
        Annotations.of(invocation).add_warning_v2(
            "cdk-breakwater:shared-readers",
            f"It is reader {_READERS[source]} of {source.node.path}, whose shards serve {SHARED_READERS}: reads are "
            "throttled, and every reader falls behind. "
            'Read a Kinesis stream with consumer="enhanced"; let one function pass on the changes of a table.',
        )
