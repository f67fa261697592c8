"""What Lambda does between a stream and a function, by the book, over the emulator's APIs.

The emulator's own poller passes over item failures, ends no retry and keeps nothing in a bucket, so it is switched off,
and this one reads the mapping that CloudFormation made, and obeys it. Sources: AWS Lambda Developer Guide, "Using
Lambda with Kinesis Data Streams", "Configuring partial batch response", "Retain discarded batch records for a Kinesis
Data Streams event source". What is not said there is what becomes of a batch whose first record fails again and again;
the worst is taken: once the retries are used up, all from that record on is given up.
"""

from __future__ import annotations

import base64
import json
import queue
import threading
import time
import uuid
import zlib
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from demo.emulator import Emulator
    from typing_extensions import Self

    Record = dict[str, Any]

PAUSE_SECONDS = 0.1


class StreamPoller:
    """Reads a stream for as long as the block lasts.

    Attributes
    ----------
    ended
        Records that are done or given up.
    kept
        Records that were given up.
    most_at_once
        The most invocations that ran at the same time.
    seconds
        What all invocations took, together.
    """

    def __init__(self, emulator: Emulator, mapping: str) -> None:
        self._functions, self._s3 = emulator.client("lambda"), emulator.client("s3")
        self._mapping = self._functions.get_event_source_mapping(UUID=mapping)
        self._functions.update_event_source_mapping(UUID=mapping, Enabled=False)
        self._arn: str = self._mapping["EventSourceArn"]
        self._kinesis = ":kinesis:" in self._arn
        self._streams = emulator.client("kinesis" if self._kinesis else "dynamodbstreams")
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._errors: list[BaseException] = []
        self.ended = self.kept = self.most_at_once = self._at_once = 0
        self.seconds = 0.0

    def __enter__(self) -> Self:
        for shard in self._shards():
            lanes: list[queue.Queue[Record]] = [queue.Queue() for _ in range(self._mapping["ParallelizationFactor"])]
            self._start(self._read, shard, lanes)
            for lane in lanes:
                self._start(self._work, shard, lane)
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        if self._errors and exception[0] is None:
            raise self._errors[0]

    def _start(self, work: Any, *arguments: Any) -> None:
        def run() -> None:
            try:
                work(*arguments)
            except BaseException as error:  # told to the test by __exit__
                self._errors.append(error)
                self._over.set()

        thread = threading.Thread(target=run)
        self._threads.append(thread)
        thread.start()

    @property
    def failed(self) -> bool:
        return bool(self._errors)

    def _shards(self) -> list[str]:
        if self._kinesis:
            return [shard["ShardId"] for shard in self._streams.list_shards(StreamARN=self._arn)["Shards"]]
        described = self._streams.describe_stream(StreamArn=self._arn)
        return [shard["ShardId"] for shard in described["StreamDescription"]["Shards"]]

    def _read(self, shard: str, lanes: list[queue.Queue[Record]]) -> None:
        """Read a shard; records with the same key go into the same lane."""
        stream = {"StreamARN" if self._kinesis else "StreamArn": self._arn}
        asked = self._streams.get_shard_iterator(
            **stream, ShardId=shard, ShardIteratorType=self._mapping["StartingPosition"]
        )
        iterator = asked["ShardIterator"]
        while iterator and not self._over.is_set():
            answer = self._streams.get_records(ShardIterator=iterator, Limit=1000)
            for record in answer["Records"]:
                key, event = self._event(record)
                lanes[zlib.crc32(key.encode()) % len(lanes)].put(event)
            iterator = answer.get("NextShardIterator")
            if not answer["Records"]:
                time.sleep(PAUSE_SECONDS)

    def _event(self, record: Record) -> tuple[str, Record]:
        if not self._kinesis:
            return json.dumps(record["dynamodb"]["Keys"], sort_keys=True), {**record, "eventSourceARN": self._arn}
        return record["PartitionKey"], {
            "eventSource": "aws:kinesis",
            "eventSourceARN": self._arn,
            "kinesis": {
                "partitionKey": record["PartitionKey"],
                "sequenceNumber": record["SequenceNumber"],
                "data": base64.b64encode(record["Data"]).decode("ascii"),
            },
        }

    def _work(self, shard: str, lane: queue.Queue[Record]) -> None:
        while not self._over.is_set():
            batch: list[Record] = []
            try:
                batch.append(lane.get(timeout=PAUSE_SECONDS))
                while len(batch) < self._mapping["BatchSize"]:
                    batch.append(lane.get_nowait())
            except queue.Empty:
                pass
            if batch:
                self._deliver(shard, batch)

    def _deliver(self, shard: str, batch: list[Record]) -> None:
        rest = batch
        for _ in range(self._mapping["MaximumRetryAttempts"] + 1):
            done = self._invoke(rest)
            if done is None and len(rest) > 1 and self._mapping["BisectBatchOnFunctionError"]:
                middle = len(rest) // 2  # splitting a batch uses up no retry
                self._deliver(shard, rest[:middle])
                self._deliver(shard, rest[middle:])
                return
            self._count(done or 0)
            rest = rest[done or 0 :]
            if not rest:
                return
        self._keep(shard, rest)

    def _invoke(self, records: list[Record]) -> int | None:
        """Return how many records are done, None when the function failed as a whole."""
        event = json.dumps({"Records": records}, default=_seconds)
        while (answer := self._invoke_once(event)) is None:
            time.sleep(PAUSE_SECONDS)  # throttled: no invocation, so no retry is used up
        if "FunctionError" in answer:
            return None
        failures = json.loads(answer["Payload"].read())["batchItemFailures"]
        if not failures or "ReportBatchItemFailures" not in self._mapping["FunctionResponseTypes"]:
            return len(records)
        numbers = [self._number(record) for record in records]
        return min(numbers.index(failure["itemIdentifier"]) for failure in failures)

    def _invoke_once(self, event: str) -> dict[str, Any] | None:
        with self._lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        began = time.monotonic()
        try:
            return self._functions.invoke(FunctionName=self._mapping["FunctionArn"], Payload=event)
        except self._functions.exceptions.TooManyRequestsException:
            return None
        finally:
            with self._lock:
                self._at_once -= 1
                self.seconds += time.monotonic() - began

    def _number(self, record: Record) -> str:
        if self._kinesis:
            return record["kinesis"]["sequenceNumber"]
        return record["dynamodb"]["SequenceNumber"]

    def _keep(self, shard: str, records: list[Record]) -> None:
        now = datetime.now(timezone.utc)
        bucket = self._mapping["DestinationConfig"]["OnFailure"]["Destination"].rsplit(":", 1)[-1]
        mapping = self._mapping["UUID"]
        kept = {
            "requestContext": {"condition": "RetryAttemptsExhausted", "functionArn": self._mapping["FunctionArn"]},
            "timestamp": now.isoformat(),
            "payload": json.dumps({"Records": records}, default=_seconds),
        }
        self._s3.put_object(
            Bucket=bucket,
            Key=f"aws/lambda/{mapping}/{shard}/{now:%Y/%m/%d}/{now:%Y-%m-%dT%H.%M.%S}-{uuid.uuid4()}",
            Body=json.dumps(kept).encode(),
        )
        self._count(len(records), kept=len(records))

    def _count(self, ended: int, kept: int = 0) -> None:
        with self._lock:
            self.ended += ended
            self.kept += kept


def _seconds(value: Any) -> float:
    return value.timestamp()
