"""The real `breakwater_runtime.batch`, called by a model of a mapping, in virtual time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from breakwater_runtime import batch
from cdk_breakwater.simulation.invocation import Outcome

STREAM: dict[str, Any] = {
    "eventSource": "aws:kinesis",
    "eventSourceARN": "arn:aws:kinesis:eu-central-1:123456789012:stream/clicks",
}
QUEUE: dict[str, Any] = {
    "eventSource": "aws:sqs",
    "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:jobs",
    "attributes": {},
}


class TimedOutError(BaseException):
    """Lambda ends the process; no handler can catch it."""


class VirtualFunction:
    """A function made with `batch`.

    Parameters
    ----------
    seconds
        How long a record's work takes, by its number.
    timeout
        Of the function.
    fails
        Whether a record's work fails, by its number.
    """

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        seconds: Callable[[int], float],
        timeout: float,
        *,
        stream: bool = False,
        fails: Callable[[int], bool] = lambda _: False,
    ) -> None:
        self._clock = 0.0
        self._seconds, self._timeout, self._fails, self._stream = seconds, timeout, fails, stream
        self._begun: list[int] = []
        self.done: list[int] = []
        monkeypatch.setattr("breakwater_runtime.deadline.monotonic", lambda: self._clock)
        monkeypatch.setattr(logging.getLogger("breakwater_runtime.batches"), "disabled", True)
        self._handler = batch(self._work)

    def get_remaining_time_in_millis(self) -> int:
        return int(1000 * (self._timeout - self._clock))

    def _work(self, record: dict[str, Any], context: object) -> None:
        number = int(record["kinesis"]["sequenceNumber"] if self._stream else record["messageId"])
        self._begun.append(number)
        self._clock += self._seconds(number)
        if self._clock > self._timeout:
            raise TimedOutError
        if self._fails(number):
            raise ValueError(number)
        self.done.append(number)

    def __call__(self, records: Sequence[int]) -> Outcome:
        self._clock = 0.0
        self._begun = list[int]()
        event = {"Records": [self._record(number) for number in records]}
        try:
            answer = self._handler(event, self)
        except TimedOutError:
            return Outcome(self._timeout, begun=self._begun, error=True)
        except RuntimeError:  # FirstRecordFailedError: the batch is to be split
            return Outcome(self._clock, begun=self._begun, error=True)
        failed = [int(failure["itemIdentifier"]) for failure in answer["batchItemFailures"]]
        return Outcome(self._clock, failed, self._begun)

    def _record(self, number: int) -> dict[str, Any]:
        if self._stream:
            return {**STREAM, "kinesis": {"sequenceNumber": str(number), "data": "YQ=="}}
        return {**QUEUE, "messageId": str(number)}
