"""The messages that wait, as the intake files them: pages in DynamoDB, one per batch and lane.

A page has the next number of its lane and is put once. Nothing on it expires, however long it waits; it is deleted when
its last message is done.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from itertools import accumulate, takewhile
from typing import TYPE_CHECKING, Any
from zlib import crc32

from .blobs import items_of, part_name
from .compact_json import dumps
from .freight import memory_of
from .held import Held, Ref
from .weights import known_weight

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_PAGE = "page"
MOST_BYTES = 20_000_000
"""Of pages in memory."""
_LARGEST = 1_000_000
"""Bytes in memory that the messages of a page take, if they are more than one. Each is read and written as a whole."""


@dataclass(frozen=True)
class Page:
    """The messages of a page, as an event source mapping hands them to a function."""

    records: tuple[dict[str, Any], ...]
    failed: tuple[int, ...]
    """How often each has failed before it was filed (anew)."""
    unit: str = ""
    """Where the weight of a message stands."""
    size: int = 0
    """Bytes that it takes in memory, about, where it was read from the table."""

    def __len__(self) -> int:
        return len(self.records)

    def held(self, key: tuple[int, int], index: int) -> Held:
        """Return what is handed out for a message."""
        record = self.records[index]
        return Held(Ref(*key, index, group_number(record), known_weight(record, self.unit)), self.failed[index])


class Pages:
    """Puts, gets and deletes them.

    Parameters
    ----------
    client
        Of DynamoDB.
    table
        Its name.
    """

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def put(self, key: tuple[int, int], records: Sequence[dict[str, Any]], failed: Sequence[int] = ()) -> None:
        """Write a page. Its first part comes last, so that nobody sees half a page."""
        for item in reversed(items_of(page_name(key), page_content(records, failed))):
            self._client.put_item(TableName=self._table, Item=item)

    def get(self, key: tuple[int, int], unit: str = "") -> Page | None:
        """Read a page, with weights that stand there; None when it isn't there."""
        first = self._part(key, 0)
        if first is None:
            return None
        packed = first["content"]["B"]
        for number in range(1, int(first["parts"]["N"])):
            part = self._part(key, number)
            if part is None:
                return None  # It is being deleted: its messages are done.
            packed += part["content"]["B"]
        records, failed = json.loads(zlib.decompress(packed))
        return Page(tuple(records), tuple(failed), unit, sum(map(memory_of, records)))

    def delete(self, key: tuple[int, int]) -> None:
        """Delete a page, its first part first."""
        answer = self._client.delete_item(
            TableName=self._table, Key={"id": {"S": page_name(key, 0)}}, ReturnValues="ALL_OLD"
        )
        for number in range(1, int(answer.get("Attributes", {}).get("parts", {"N": "1"})["N"])):
            self._client.delete_item(TableName=self._table, Key={"id": {"S": page_name(key, number)}})

    def list(self, after: dict[str, Any] | None) -> tuple[list[str], dict[str, Any] | None]:
        """Return the names of some of what is there, and what to go on from; None at the end."""
        start = {"ExclusiveStartKey": after} if after else {}
        answer = self._client.scan(TableName=self._table, ProjectionExpression="id", **start)
        return [item["id"]["S"] for item in answer["Items"]], answer.get("LastEvaluatedKey")

    def delete_part(self, name: str) -> None:
        """Delete one of what `list` returned."""
        self._client.delete_item(TableName=self._table, Key={"id": {"S": name}})

    def _part(self, key: tuple[int, int], number: int) -> dict[str, Any] | None:
        return self._client.get_item(
            TableName=self._table, Key={"id": {"S": page_name(key, number)}}, ConsistentRead=True
        ).get("Item")


def fitting(records: Iterable[dict[str, Any]]) -> int:
    """Count the messages, from the first one on, that have room on one page; one has in any case."""
    taken = accumulate(map(memory_of, records))
    return max(1, sum(1 for _ in takewhile(lambda size: size <= _LARGEST, taken)))


def forget_oldest(pages: dict[tuple[int, int], Page], most: int) -> None:
    """Drop pages, those that were read first, until the others take so many bytes at most."""
    size = sum(page.size for page in pages.values())
    for key in list(pages):
        if size <= most:
            return
        size -= pages.pop(key).size


def group_number(record: dict[str, Any]) -> int:
    """Return a number for a message's group: messages of one group have the same; 0 when it has none."""
    group = record["attributes"].get("MessageGroupId")
    return crc32(group.encode()) if group else 0


def page_name(key: tuple[int, int], part: int = 0) -> str:
    """Name the item of a page, or of a part of it."""
    lane, page = key
    return part_name(f"{_PAGE}/{lane}/{page}", part)


def page_of(name: str) -> tuple[int, int] | None:
    """Return lane and number of the page of which an item is a part; None when it is none."""
    kind, *numbers = name.split("/")
    return (int(numbers[0]), int(numbers[1])) if kind == _PAGE else None


def page_content(records: Sequence[dict[str, Any]], failed: Sequence[int] = ()) -> str:
    """Return what is kept of a page."""
    return dumps([list(records), list(failed) or [0] * len(records)])
