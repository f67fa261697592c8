"""The quota's state in DynamoDB: one item, written only by whoever has seen its last version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from botocore.exceptions import ClientError

from .quota import Quota

if TYPE_CHECKING:
    from .settings import Settings

STATE = {"id": {"S": "quota"}}
_FAILURES_KEPT_SECONDS = 15 * 86_400  # longer than SQS keeps any message (14 days)


class QuotaStore:
    """Loads and stores the quota, and counts the failures of messages.

    Attributes
    ----------
    holder
        Whose turn it is: the id of the ring that its dispatcher answers.
    awake_until
        Until when (Unix ms) the holder is awake or its next ring is on the way.
    """

    def __init__(self, client: Any, settings: Settings) -> None:
        self._client = client
        self._settings = settings
        self._item: dict[str, Any] = {}

    @property
    def holder(self) -> str:
        """See the class."""
        return self._item["holder"]["S"] if self._item else ""

    @property
    def awake_until(self) -> int:
        """See the class."""
        return int(self._item["awake_until"]["N"]) if self._item else 0

    def read(self) -> None:
        """Look at the item as it is now."""
        self._item = self._client.get_item(TableName=self._settings.table, Key=STATE, ConsistentRead=True).get(
            "Item", {}
        )

    def quota(self) -> Quota:
        """Return the quota as last read or written."""
        quota = Quota(self._settings.windows(), self._settings.longest_call)
        return quota.load(self._item["state"]["S"]) if self._item else quota

    def write(self, quota: Quota, holder: str, awake_until: int) -> bool:
        """Store the quota. False when another has stored it since: then what the other wrote is what is known."""
        token = {"S": str(uuid4())}
        values = {
            ":state": {"S": quota.dump()},
            ":holder": {"S": holder},
            ":awake_until": {"N": str(awake_until)},
            ":token": token,
        }
        condition = "attribute_not_exists(id)"
        if self._item:
            values[":seen"] = self._item["token"]
            condition = "#token = :seen"
        try:
            self._client.update_item(
                TableName=self._settings.table,
                Key=STATE,
                UpdateExpression="SET #state = :state, holder = :holder, awake_until = :awake_until, #token = :token",
                ConditionExpression=condition,
                ExpressionAttributeNames={"#state": "state", "#token": "token"},
                ExpressionAttributeValues=values,
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "ConditionalCheckFailedException":
                raise
            response: dict[str, Any] = {**error.response}
            self._item = response.get("Item", {})
            # The SDK repeats a request whose answer was lost: then the first one is what stands in the way.
            return self._item.get("token") == token
        self._item = {
            "state": values[":state"],
            "holder": values[":holder"],
            "awake_until": values[":awake_until"],
            "token": token,
        }
        return True

    def failed(self, message_id: str, now: int) -> int:
        """Count a failure of a message; return how many there were."""
        answer = self._client.update_item(
            TableName=self._settings.table,
            Key={"id": {"S": f"message/{message_id}"}},
            UpdateExpression="ADD failures :one SET expires = :expires",
            ExpressionAttributeValues={
                ":one": {"N": "1"},
                ":expires": {"N": str(now // 1000 + _FAILURES_KEPT_SECONDS)},
            },
            ReturnValues="UPDATED_NEW",
        )
        return int(answer["Attributes"]["failures"]["N"])
