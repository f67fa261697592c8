"""Failed records of a stream that a bucket keeps whole: they are given to the function again, as Lambda gave them."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import BreakwaterError
from ..limits.aws_lambda import MAXIMUM_TIMEOUT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    Record = dict[str, Any]

# Reserved concurrency is in use by the stream itself: another try every second, for as long as a function may run.
_PATIENCE_SECONDS = MAXIMUM_TIMEOUT_SECONDS
_PAUSE_SECONDS = 1.0
# What an invocation takes. Source: AWS Lambda Developer Guide, "Lambda quotas".
_LARGEST_EVENT = 6 * 1024 * 1024


@dataclass(frozen=True)
class FailedRecords:
    """Batches in a bucket, one object each.

    Attributes
    ----------
    keys
        The objects, the oldest first.
    function
        ARN of the function, or of its alias.
    """

    construct: str
    bucket: str
    keys: tuple[str, ...]
    function: str

    @classmethod
    def of(cls, construct: str, bucket: str, mapping: str, function: str, s3: Any) -> FailedRecords:
        """List what one mapping has put into a bucket."""
        # Source: AWS Lambda Developer Guide, "Retain discarded batch records for a Kinesis Data Streams event source".
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"aws/lambda/{mapping}/")
        objects = [found for page in pages for found in page.get("Contents", [])]
        objects.sort(key=lambda found: (found["LastModified"], found["Key"]))
        return cls(construct, bucket, tuple(found["Key"] for found in objects), function)

    @property
    def waiting(self) -> int:
        """Batches."""
        return len(self.keys)

    @property
    def kept_in(self) -> str:
        """The bucket's name."""
        return self.bucket

    @property
    def goes_to(self) -> str:
        """The function's name."""
        return self.function.split(":function:")[-1]

    @property
    def state(self) -> str:
        """Nobody keeps account of earlier ones."""
        return ""

    def redrive(self, client: Callable[[str], Any]) -> str:
        """Give each batch to the function; what fails again stays in the bucket, alone.

        Records are given in their order, one batch after the other, at no more than one invocation at a time.

        Raises
        ------
        BreakwaterError
            When the function stays throttled.
        """
        s3, again, done = client("s3"), 0, 0
        for key in self.keys:
            kept = json.loads(s3.get_object(Bucket=self.bucket, Key=key)["Body"].read())
            payload = kept["payload"]
            records = (json.loads(payload) if isinstance(payload, str) else payload)["Records"]
            failed = self._give(records, client("lambda"))
            if not failed:
                s3.delete_object(Bucket=self.bucket, Key=key)
            elif len(failed) < len(records):
                kept["payload"] = _compact({"Records": failed}).decode()
                s3.put_object(Bucket=self.bucket, Key=key, Body=_compact(kept))
            done += len(records) - len(failed)
            again += len(failed)
        return f"{done:,} done" + (f", {again:,} failed again" if again else "")

    def _give(self, records: list[Record], functions: Any) -> list[Record]:
        """Invoke the function with records in their order, and return those that failed."""
        failed: list[Record] = []
        while records:
            first = self._first_failure(records, functions)
            if first == len(records):
                break
            if first is None and len(records) > 1:
                middle = len(records) // 2
                return [*failed, *self._give(records[:middle], functions), *self._give(records[middle:], functions)]
            if first:
                # It may not have been begun, for want of time: it is tried as the first one, and then it is known.
                records = records[first:]
            else:
                failed.append(records[0])
                records = records[1:]
        return failed

    def _first_failure(self, records: list[Record], functions: Any) -> int | None:
        """Return the position up to which all is done, None when the whole invocation failed, as Lambda sees it."""
        # Source: AWS Lambda Developer Guide, "Configuring partial batch response with Kinesis Data Streams and Lambda".
        event = _compact({"Records": records})
        if len(event) > _LARGEST_EVENT:
            return None
        answer = self._invoke(event, functions)
        if "FunctionError" in answer:
            return None
        body = json.loads(answer["Payload"].read() or b"null")
        failures = body.get("batchItemFailures") if isinstance(body, dict) else None
        if not failures:
            return len(records)
        identifiers = {failure.get("itemIdentifier") for failure in failures}
        return next((n for n, record in enumerate(records) if _sequence_number(record) in identifiers), None)

    def _invoke(self, event: bytes, functions: Any) -> dict[str, Any]:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                return functions.invoke(FunctionName=self.function, Payload=event)
            except functions.exceptions.TooManyRequestsException as error:  # noqa: PERF203 -- a request takes longer
                if time.monotonic() > deadline:
                    raise BreakwaterError(
                        self.function,
                        f"it is throttled for {_PATIENCE_SECONDS} s.",
                        "Its reserved concurrency is 0, or all in use: try again when the stream has been read.",
                    ) from error
                time.sleep(_PAUSE_SECONDS)


def _sequence_number(record: Record) -> str:
    if "kinesis" in record:
        return record["kinesis"]["sequenceNumber"]
    return record["dynamodb"]["SequenceNumber"]


def _compact(value: dict[str, Any]) -> bytes:
    """Write JSON as Lambda does, which counts bytes: escaped, text in another alphabet would be up to twice as long."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="surrogatepass")
