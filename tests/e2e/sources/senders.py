"""What producers do: send records to each kind of source, in batches and in order."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from demo.emulator import Emulator


def send_to_queue(emulator: Emulator, url: str, records: Sequence[dict[str, Any]], *, fifo: bool) -> None:
    sqs = emulator.client("sqs")
    for batch in _batches(records, 10):
        entries = [
            {
                "Id": str(position),
                "MessageBody": json.dumps(record),
                **(
                    {"MessageGroupId": str(record["group"]), "MessageDeduplicationId": str(record["number"])}
                    if fifo
                    else {}
                ),
            }
            for position, record in enumerate(batch)
        ]
        assert not sqs.send_message_batch(QueueUrl=url, Entries=entries).get("Failed")


def send_to_stream(emulator: Emulator, stream: str, records: Sequence[dict[str, Any]]) -> None:
    kinesis = emulator.client("kinesis")
    for batch in _batches(records, 500):
        entries = [{"Data": json.dumps(record).encode(), "PartitionKey": str(record["group"])} for record in batch]
        assert kinesis.put_records(StreamName=stream, Records=entries)["FailedRecordCount"] == 0


def send_to_table(emulator: Emulator, table: str, records: Sequence[dict[str, Any]]) -> None:
    dynamodb = emulator.client("dynamodb")
    for batch in _batches(records, 25):
        puts = [
            {
                "PutRequest": {
                    "Item": {
                        "number": {"N": str(record["number"])},
                        "group": {"N": str(record["group"])},
                        "poison": {"BOOL": record["poison"]},
                    }
                }
            }
            for record in batch
        ]
        assert not dynamodb.batch_write_item(RequestItems={table: puts})["UnprocessedItems"]


def _batches(records: Sequence[dict[str, Any]], size: int) -> Iterator[Sequence[dict[str, Any]]]:
    return (records[start : start + size] for start in range(0, len(records), size))
