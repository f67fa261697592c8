"""An event source mapping between one shard of a stream and a function.

Sources: AWS Lambda Developer Guide, "Using Lambda with Kinesis Data Streams" and "Configuring partial batch response
with Kinesis Data Streams and Lambda". What is not said there is whether the retries of a batch begin anew when its
checkpoint moves; so both readings can be asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .invocation import Invoke


@dataclass(frozen=True)
class StreamMapping:
    """The limits of a mapping.

    Attributes
    ----------
    batch_size
        Records per invocation.
    retry_attempts
        Retries of a batch before its records are given up.
    progress_restarts_retries
        Whether a batch that fails further on than before has all its retries again.
    splits
        Whether it splits a batch in two after an error.
    """

    batch_size: int
    retry_attempts: int
    progress_restarts_retries: bool = False
    splits: bool = True


@dataclass
class StreamHistory:
    """What became of the records.

    Attributes
    ----------
    begun
        Records in the order in which they were begun, each as often as that.
    given_up
        Records that were given up.
    again
        Records that were not done by the invocation that had them, each as often as that.
    seconds
        How long it all took.
    """

    begun: list[int] = field(default_factory=list)
    given_up: list[int] = field(default_factory=list)
    again: int = 0
    seconds: float = 0


def read(mapping: StreamMapping, records: int, invoke: Invoke) -> StreamHistory:
    """Let a mapping read a shard to its end.

    Parameters
    ----------
    mapping
        Its limits.
    records
        How many there are, numbered from 0.
    invoke
        The function.
    """
    history = StreamHistory()
    for start in range(0, records, mapping.batch_size):
        _deliver(mapping, range(start, min(records, start + mapping.batch_size)), 0, invoke, history)
    return history


def _deliver(mapping: StreamMapping, rest: Sequence[int], spent: int, invoke: Invoke, history: StreamHistory) -> None:
    while rest:
        outcome = invoke(rest)
        history.seconds += outcome.seconds
        history.begun.extend(outcome.begun)
        if not outcome.error and not outcome.failed:
            return
        first = 0 if outcome.error else min(map(rest.index, outcome.failed))
        history.again += len(rest) - first
        if outcome.error and mapping.splits and len(rest) > 1:
            middle = len(rest) // 2  # splitting a batch uses up no retry
            _deliver(mapping, rest[:middle], spent, invoke, history)
            _deliver(mapping, rest[middle:], spent, invoke, history)
            return
        if first and mapping.progress_restarts_retries:
            spent = 0
        elif spent == mapping.retry_attempts:
            history.given_up.extend(rest[first:])
            return
        else:
            spent += 1
        rest = rest[first:]
