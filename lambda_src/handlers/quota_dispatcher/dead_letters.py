"""What has failed for good, with the reason, in the dead-letter queue."""

from __future__ import annotations

import re
from base64 import b64decode
from typing import Any

_LONGEST_REASON = 500
_MOST_ATTRIBUTES = 10  # Lambda and SQS pass on at most 10 per message
_LARGEST = 1_048_576  # bytes. Amazon SQS Developer Guide, "Amazon SQS message quotas": body and attributes together
# What a message may not contain. Amazon SQS API Reference, "SendMessage".
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def bury(client: Any, queue: str, record: dict[str, Any], reason: str, failures: int, *, ordered: bool) -> None:
    """Send a record to the dead-letter queue, with its own attributes, and `Reason` and `Failures` where they fit.

    The message's own attributes and body come first: where it has ten attributes, or a body of 1 MiB, the reason is
    only in the log.
    """
    attributes = {name: _attribute(value) for name, value in record.get("messageAttributes", {}).items()}
    reasons = {
        "Failures": {"DataType": "Number", "StringValue": str(failures)},
        "Reason": {"DataType": "String", "StringValue": _FORBIDDEN.sub("?", reason)[:_LONGEST_REASON] or "unknown"},
    }
    if len(attributes) + len(reasons) <= _MOST_ATTRIBUTES and _size(record, attributes | reasons) <= _LARGEST:
        attributes |= reasons
    group = (
        {
            "MessageGroupId": record["attributes"]["MessageGroupId"],
            "MessageDeduplicationId": record["messageId"],
        }
        if ordered
        else {}
    )
    client.send_message(QueueUrl=queue, MessageBody=record["body"], MessageAttributes=attributes, **group)


def _attribute(value: dict[str, Any]) -> dict[str, Any]:
    """Turn what an event source mapping hands over into what SQS takes."""
    attribute: dict[str, Any] = {"DataType": value["dataType"]}
    if value.get("binaryValue") is not None:
        attribute["BinaryValue"] = b64decode(value["binaryValue"])
    elif value.get("stringValue") is not None:
        attribute["StringValue"] = value["stringValue"]
    return attribute


def _size(record: dict[str, Any], attributes: dict[str, dict[str, Any]]) -> int:
    def length(text: str | bytes) -> int:
        return len(text if isinstance(text, bytes) else text.encode())

    return length(record["body"]) + sum(
        length(name) + sum(length(part) for part in attribute.values()) for name, attribute in attributes.items()
    )
