"""The counter in DynamoDB: one item, whose state is written only by whoever has seen its last version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .counter import Counter
    from .settings import Settings

ID = "quota"
_TAIL = "tail"
_COUNTERS = "counters"


class Presence(NamedTuple):
    """Who sees to it that nothing waits unseen.

    Its instants are Unix time (ms) by whoever wrote it.
    """

    holder: str = ""
    """Who is awake."""
    ring: str = ""
    """The message id of the ring that the holder answers; when nobody is awake, the id of the ring on its way."""
    until: int = 0
    """The holder is awake until then, or the ring has arrived by then."""
    resting_until: int = 0
    """No call may start before then, whatever comes."""


@dataclass(frozen=True)
class Item:
    """The item as it was seen.

    Attributes
    ----------
    state
        What `Counter.dump` wrote; None in a table that is new, or of the release before.
    first_release
        The state of the release before.
    token
        Of the last write.
    tails
        By lane, the number of its last page.
    filed
        Messages filed, ever.
    keyed
        The state is of a quota with keys. It has an attribute of its own, which a dispatcher that knows nothing of keys
        can't overwrite.
    counters
        How many counters the quota has.
    """

    state: str | None
    first_release: str | None
    token: str
    presence: Presence
    tails: dict[int, int]
    filed: int
    keyed: bool = False
    counters: int = 1

    def counter(self, settings: Settings) -> Counter:
        """Return the state that it holds."""
        counter = settings.counter(keyed=self.keyed)
        if self.state is not None:
            return counter.load(self.state)
        return counter if self.first_release is None else counter.load_first_release(self.first_release)

    @classmethod
    def read(cls, item: Mapping[str, Any]) -> Item:
        """Read what DynamoDB returned; nothing at all is a quota that was never used."""

        def text(name: str) -> str:
            return item.get(name, {}).get("S", "")

        def number(name: str, default: str = "0") -> int:
            return int(item.get(name, {}).get("N", default))

        tails = {int(name[len(_TAIL) :]): number(name) for name in item if name.startswith(_TAIL)}
        presence = Presence(text("holder"), text("ring"), number("awake_until"), number("resting_until"))
        state, keyed = text("keyed") or text("counter") or None, "keyed" in item
        counters = number(_COUNTERS, "1")
        return cls(state, text("state") or None, text("token"), presence, tails, number("filed"), keyed, counters)


class Store:
    """Reads and writes the item.

    Parameters
    ----------
    client
        Of DynamoDB.
    table
        Its name.
    number, counters
        Which of how many counters.
    """

    def __init__(self, client: Any, table: str, number: int = 0, counters: int = 1) -> None:
        self._client = client
        self._table = table
        self._request = {"TableName": table, "Key": {"id": {"S": counter_id(number)}}}
        # Each of several says how many there are, so that whoever has read one knows it; the first does from the start.
        self._says = {":counters": {"N": str(counters)}} if number else {}
        self._number_too = f", {_COUNTERS} = :counters" if number else ""

    def begin(self, counters: int) -> int:
        """Let a quota that was never used have so many counters; return how many it has."""
        _, item = self._update(
            UpdateExpression=f"SET {_COUNTERS} = :counters",
            ConditionExpression="attribute_not_exists(id)",
            ExpressionAttributeValues={":counters": {"N": str(counters)}},
        )
        return item.counters

    def take_turn(self) -> int:
        """Return the next of the numbers by which batches are dealt out to several counters."""
        answer = self._client.update_item(
            TableName=self._table,
            Key={"id": {"S": "turn"}},
            UpdateExpression="ADD turn :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
            ReturnValues="UPDATED_NEW",
        )
        return int(answer["Attributes"]["turn"]["N"])

    def read(self) -> Item:
        """Look at the item as it is now."""
        return Item.read(self._client.get_item(**self._request, ConsistentRead=True).get("Item", {}))

    def write(
        self, seen: Item, counter: Counter, presence: Presence, token: str, *, leaving: bool
    ) -> tuple[bool, Item]:
        """Store the counter if nobody else has stored it since.

        Parameters
        ----------
        leaving
            Only if no page was numbered since, either: who numbers one later sees that nobody is awake.

        Returns
        -------
        bool
            Whether it was stored.
        Item
            The item as it is now.
        """
        values: dict[str, Any] = {
            ":counter": {"S": counter.dump()},
            ":token": {"S": token},
            ":holder": {"S": presence.holder},
            ":ring": {"S": presence.ring},
            ":until": {"N": str(presence.until)},
            ":resting": {"N": str(presence.resting_until)},
        }
        names = {"#token": "token", "#counter": counter.attribute, "#state": "state"}
        former = "#state"
        if counter.attribute != "counter":
            names["#plain"], former = "counter", "#state, #plain"
        condition = "attribute_not_exists(#token)"
        if seen.token:
            condition, values[":seen"] = "#token = :seen", {"S": seen.token}
        if leaving:
            condition += " AND filed = :filed" if seen.filed else " AND attribute_not_exists(filed)"
            values |= {":filed": {"N": str(seen.filed)}} if seen.filed else {}
        return self._update(
            UpdateExpression="SET #counter = :counter, #token = :token, holder = :holder, ring = :ring, "
            f"awake_until = :until, resting_until = :resting{self._number_too} REMOVE {former}",
            ConditionExpression=condition,
            ExpressionAttributeNames=names,
            ExpressionAttributeValues={**values, **self._says},
        )

    def number_pages(self, lanes: Mapping[int, int]) -> Item:
        """Take the next page number of each lane; `Item.tails` says which.

        Parameters
        ----------
        lanes
            By lane, how many messages the page will hold.
        """
        adds = ", ".join(f"{_TAIL}{lane} :one" for lane in lanes)
        values = {":one": {"N": "1"}, ":messages": {"N": str(sum(lanes.values()))}}
        expression = f"ADD filed :messages, {adds}"
        if self._says:
            expression += f" SET {_COUNTERS} = :counters"
        answer = self._client.update_item(
            **self._request,
            UpdateExpression=expression,
            ExpressionAttributeValues={**values, **self._says},
            ReturnValues="ALL_NEW",
        )
        return Item.read(answer["Attributes"])

    def _update(self, **request: Any) -> tuple[bool, Item]:
        """Update the item on a condition; return whether it holds, and the item as it is now."""
        try:
            answer = self._client.update_item(
                **self._request, **request, ReturnValues="ALL_NEW", ReturnValuesOnConditionCheckFailure="ALL_OLD"
            )
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "ConditionalCheckFailedException":
                raise
            response: dict[str, Any] = {**error.response}
            return False, Item.read(response.get("Item", {}))
        return True, Item.read(answer["Attributes"])


def counter_id(number: int) -> str:
    """Name the item of one of several counters."""
    return f"{ID}/{number}" if number else ID
