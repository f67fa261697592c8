"""Content of any size in DynamoDB, many pieces with one request: each is written once, under a name of its own."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

PART = 350_000
"""Bytes in one item. Amazon DynamoDB Developer Guide, "Service quotas": an item has at most 400 KB, name included."""
_WRITTEN_AT_ONCE = 25
_READ_AT_ONCE = 100
"""Amazon DynamoDB API Reference, "BatchWriteItem", "BatchGetItem"."""
_ATTEMPTS = 8


class UnprocessedError(BotoCoreError):
    """DynamoDB has left some of a batch undone, again and again."""

    fmt = "DynamoDB has left {count} items of a batch unprocessed"


class Blobs:
    """Reads, writes and deletes them.

    Parameters
    ----------
    client
        Of DynamoDB.
    table
        Its name.
    sleep
        Waits for so long (ms).
    """

    def __init__(self, client: Any, table: str, sleep: Callable[[int], None]) -> None:
        self._client = client
        self._table = table
        self._sleep = sleep

    def put(self, contents: Mapping[str, str]) -> None:
        """Write all of them, or raise."""
        items = (item for name, content in contents.items() for item in items_of(name, content))
        self._write([{"PutRequest": {"Item": item}} for item in items])

    def delete(self, names: Iterable[str]) -> None:
        """Delete their first parts; the others, which are rare, are found by who looks for what nobody needs."""
        self._write([{"DeleteRequest": {"Key": {"id": {"S": name}}}} for name in names])

    def get(self, names: Iterable[str]) -> dict[str, str]:
        """Read those that are there."""
        first = self.items(names)
        more = [part_name(name, number) for name, item in first.items() for number in range(1, _parts(item))]
        rest = self._read(more)
        found: dict[str, str] = {}
        for name, item in first.items():
            parts = [item, *(rest.get(part_name(name, number)) for number in range(1, _parts(item)))]
            if all(parts):
                found[name] = zlib.decompress(b"".join(part["content"]["B"] for part in parts if part)).decode()
        return found

    def items(self, names: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Read items of any kind, those that are there, by name."""
        return self._read(list(names))

    def _write(self, requests: list[dict[str, Any]]) -> None:
        for chunk in _chunks(requests, _WRITTEN_AT_ONCE):
            left = list(chunk)
            for attempt in range(_ATTEMPTS):
                answer = self._client.batch_write_item(RequestItems={self._table: left})
                left = answer.get("UnprocessedItems", {}).get(self._table, [])
                if not left:
                    break
                self._sleep(20 << attempt)
            else:
                raise UnprocessedError(count=len(left))

    def _read(self, names: list[str]) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for chunk in _chunks(names, _READ_AT_ONCE):
            keys: list[dict[str, Any]] = [{"id": {"S": name}} for name in chunk]
            for attempt in range(_ATTEMPTS):
                answer = self._client.batch_get_item(RequestItems={self._table: {"Keys": keys, "ConsistentRead": True}})
                found |= {item["id"]["S"]: item for item in answer.get("Responses", {}).get(self._table, [])}
                keys = answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", [])
                if not keys:
                    break
                self._sleep(20 << attempt)
            else:
                raise UnprocessedError(count=len(keys))
        return found


def items_of(name: str, content: str) -> list[dict[str, Any]]:
    """Return the items in which a content lies, its first part first."""
    packed = zlib.compress(content.encode(), 6)
    parts = [packed[start : start + PART] for start in range(0, len(packed), PART)]
    return [
        {"id": {"S": part_name(name, number)}, "content": {"B": part}, "parts": {"N": str(len(parts))}}
        for number, part in enumerate(parts)
    ]


def part_name(name: str, number: int) -> str:
    """Name the item of a part."""
    return f"{name}/{number}" if number else name


def _parts(item: Mapping[str, Any]) -> int:
    return int(item["parts"]["N"])


def _chunks(things: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (things[start : start + size] for start in range(0, len(things), size))
