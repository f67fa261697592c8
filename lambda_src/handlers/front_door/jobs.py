"""The table of jobs, as the front door sees it; the function that does them writes it through `breakwater_runtime`."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

JOB = "breakwater-job"
_UNKNOWN_REASON = "The function ended without an answer each time it was tried."
_UNTRIED_REASON = "The function never began it: it did not start, or had no time left each time."


class Jobs:
    """Reads and writes items by job."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def read(self, job: str) -> dict[str, Any]:
        """Return a job's item as it is now, empty if there is none."""
        item = self._client.get_item(TableName=self._table, Key={"job": {"S": job}}, ConsistentRead=True)
        return item.get("Item", {})

    def asked(self, job: str, now: int, delete_after: int) -> None:
        """Note when somebody first asked for a job of which nothing is known yet."""
        self._update(
            job,
            "SET outcome = :asked, asked_at = :now, delete_after = :delete_after",
            {":asked": {"S": "asked"}, ":now": {"N": str(now)}, ":delete_after": {"N": str(delete_after)}},
            "attribute_not_exists(outcome)",
        )

    def failed(self, job: str, now: int, seconds: int) -> None:
        """Note that a job was dead-lettered; the reason is what its last try said, if it could, or that it had none."""
        begun = self.read(job).get("outcome", {}).get("S", "asked") != "asked"
        self._update(
            job,
            "SET outcome = :failed, reason = if_not_exists(reason, :unknown), expires = :expires, "
            "delete_after = :delete_after REMOVE busy_until",
            {
                ":failed": {"S": "failed"},
                ":unknown": {"S": _UNKNOWN_REASON if begun else _UNTRIED_REASON},
                ":expires": {"N": str(now + seconds)},
                ":delete_after": {"N": str(now + 2 * seconds)},
                ":done": {"S": "done"},
            },
            "attribute_not_exists(outcome) OR outcome <> :done",
        )

    def _update(self, job: str, expression: str, values: dict[str, Any], condition: str) -> None:
        try:
            self._client.update_item(
                TableName=self._table,
                Key={"job": {"S": job}},
                UpdateExpression=expression,
                ExpressionAttributeValues=values,
                ConditionExpression=condition,
            )
        except ClientError as error:
            # Somebody who knows better was quicker.
            if error.response.get("Error", {}).get("Code") != "ConditionalCheckFailedException":
                raise
