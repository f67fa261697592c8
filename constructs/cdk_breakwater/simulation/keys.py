"""The keys of messages: message groups of a FIFO queue, partition keys of a stream, and the lane that each one has.

Sources: Amazon Kinesis Data Streams API Reference, PutRecord (the MD5 of a partition key, as a number of 128 bits,
falls into the range of one shard) and CreateStream (equal ranges); AWS Lambda Developer Guide, "Using Lambda with
Kinesis Data Streams" (records of one partition key are never in two batches of a shard at once).
"""

from __future__ import annotations

import hashlib
import zlib
from collections import Counter
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

_ALIKE, _KINDS = (0.0, 0.02, 0.05, 0.1, 0.2), 12


def keys_of_messages(number: int | None, chance: Random) -> Iterator[str]:
    """Give the key of each message: of so many, or one of its own.

    All keys come equally often: each number of them in a row has every one once, in an order that is drawn anew.

    Parameters
    ----------
    number
        How many keys there are; None where each message has one of its own.
    chance
        For the order.
    """
    if number is None:
        yield from map(str, count())
        return
    names = [str(name) for name in range(number)]
    while True:
        chance.shuffle(names)
        yield from names


def lane_of(key: str, shards: int, factor: int) -> int:
    """Give the lane in which the records of a partition key are read, of `shards` times `factor`.

    How Lambda divides the keys of a shard, AWS does not say; here by their CRC-32.
    """
    digest = hashlib.md5(key.encode(), usedforsecurity=False).digest()
    shard = int.from_bytes(digest, "big") * shards >> 128
    return shard * factor + zlib.crc32(key.encode()) % factor


def parts_of_lanes(number: int | None, shards: int, factor: int) -> Counter[float]:
    """Give which parts of all records lanes get, and how many lanes get each; none of those that get nothing.

    Lanes of which one gets little more than the other count as alike, so that there are few kinds of them.

    Parameters
    ----------
    number
        How many keys there are; None where each record has one of its own.
    shards, factor
        Of the stream and its mapping.
    """
    if number is None:
        return Counter({1 / (shards * factor): shards * factor})
    keys = sorted(Counter(lane_of(str(name), shards, factor) for name in range(number)).values())
    alike: list[list[int]] = []
    for more in _ALIKE:
        alike = []
        for of_lane in keys:
            if alike and of_lane <= alike[-1][0] * (1 + more):
                alike[-1].append(of_lane)
            else:
                alike.append([of_lane])
        if len(alike) <= _KINDS:
            break
    return Counter({sum(lanes) / len(lanes) / number: len(lanes) for lanes in alike})
