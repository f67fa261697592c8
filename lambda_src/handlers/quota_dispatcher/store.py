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
    """

    state: str | None
    first_release: str | None
    token: str
    presence: Presence
    tails: dict[int, int]
    filed: int
    keyed: bool = False

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

        def number(name: str) -> int:
            return int(item.get(name, {}).get("N", "0"))

        tails = {int(name[len(_TAIL) :]): number(name) for name in item if name.startswith(_TAIL)}
        presence = Presence(text("holder"), text("ring"), number("awake_until"), number("resting_until"))
        state, keyed = text("keyed") or text("counter") or None, "keyed" in item
        return cls(state, text("state") or None, text("token"), presence, tails, number("filed"), keyed)


class Store:
    """Reads and writes the item.

    Parameters
    ----------
    client
        Of DynamoDB.
    table
        Its name.
    """

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._request = {"TableName": table, "Key": {"id": {"S": ID}}}

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
        try:
            answer = self._client.update_item(
                **self._request,
                UpdateExpression="SET #counter = :counter, #token = :token, holder = :holder, ring = :ring, "
                f"awake_until = :until, resting_until = :resting REMOVE {former}",
                ConditionExpression=condition,
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=values,
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "ConditionalCheckFailedException":
                raise
            response: dict[str, Any] = {**error.response}
            return False, Item.read(response.get("Item", {}))
        return True, Item.read(answer["Attributes"])

    def number_pages(self, lanes: Mapping[int, int]) -> Item:
        """Take the next page number of each lane; `Item.tails` says which.

        Parameters
        ----------
        lanes
            By lane, how many messages the page will hold.
        """
        adds = ", ".join(f"{_TAIL}{lane} :one" for lane in lanes)
        values = {":one": {"N": "1"}, ":messages": {"N": str(sum(lanes.values()))}}
        answer = self._client.update_item(
            **self._request,
            UpdateExpression=f"ADD filed :messages, {adds}",
            ExpressionAttributeValues=values,
            ReturnValues="ALL_NEW",
        )
        return Item.read(answer["Attributes"])
