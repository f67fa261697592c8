"""One call of the user's function, and what came of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from .learned import LIMITS, Told, read_limits
from .signals import Signal, SignalError, read_signal
from .weights import USED, WeightError, read_used

if TYPE_CHECKING:
    from .freight import Freight

_OF_THE_MESSAGE = frozenset({"InvalidRequestContentException", "RequestTooLargeException"})
"""What Lambda refuses because of the event itself. AWS Lambda API Reference, "Invoke", Errors."""

_FAILURES = "batchItemFailures"
_WORDS = tuple(word.encode() for word in (_FAILURES, USED, LIMITS))


class Verdict(Enum):
    """What a call came to."""

    DONE = "done"
    FAILED = "failed"
    RETRY_AFTER = "retry after"
    QUOTA_SPENT = "quota spent"
    REFUSED = "refused"
    """Lambda refused to start the function: the provider has seen nothing."""
    NOT_STARTED = "not started"
    """Nobody was asked: the slot had passed, or was given up."""
    UNKNOWN = "unknown"
    """No answer came: the function may have run, or may still run."""


@dataclass(frozen=True)
class Outcome:
    """A verdict, with the seconds of a signal, the reason of a failure, or of a word that makes no sense."""

    verdict: Verdict
    seconds: float = 0
    reason: str = ""
    used: int | None = None
    """What the function says that the call has weighed in truth."""
    told: tuple[Told, ...] = ()
    """What it says of the provider's limits."""


def call(client: Any, function: str, event: bytes, now: float, freight: Freight) -> Outcome:
    """Invoke the function with an SQS event of one record."""
    try:
        answer = client.invoke(FunctionName=function, Payload=event)
        failed = "FunctionError" in answer
        with freight.answers.alone(_length(answer)):
            payload = _payload(answer["Payload"].read(), failed=failed)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        reason = f"{code}: {error}"
        if code in _OF_THE_MESSAGE:
            return Outcome(Verdict.FAILED, reason=reason)
        # 4xx: not invoked. 5xx may come from after the start, too.
        refused = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500) < 500
        return Outcome(Verdict.REFUSED if refused else Verdict.UNKNOWN, reason=reason)
    except (BotoCoreError, OSError, ValueError) as error:
        return Outcome(Verdict.UNKNOWN, reason=f"{type(error).__name__}: {error}")
    return judge(payload, now) if failed else _returned(payload)


def _length(answer: dict[str, Any]) -> int:
    return int(answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("content-length", 0))


def _payload(content: bytes, *, failed: bool) -> Any:
    """Return what matters of an answer: one of many MB takes several times as much as objects."""
    return json.loads(content) if content and (failed or any(word in content for word in _WORDS)) else None


def _returned(payload: Any) -> Outcome:
    if isinstance(payload, dict) and payload.get(_FAILURES):
        return Outcome(Verdict.FAILED, reason="the function reported the message in batchItemFailures")
    told, reason = read_limits(payload)
    used = None
    try:
        used = read_used(payload)
    except WeightError as error:
        reason = str(error)
    return Outcome(Verdict.DONE, reason=reason, used=used, told=tuple(told))


def judge(payload: Any, now: float) -> Outcome:
    """Tell a signal from a failure, by what Lambda says about the exception."""
    problem = payload if isinstance(payload, dict) else {}
    message = str(problem.get("errorMessage", payload))
    try:
        signal = read_signal(message, now)
    except SignalError as error:
        return Outcome(Verdict.FAILED, reason=str(error))
    if signal is None:
        return Outcome(Verdict.FAILED, reason=f"{problem.get('errorType', 'Error')}: {message}")
    verdict = Verdict.RETRY_AFTER if signal.name is Signal.RETRY_AFTER else Verdict.QUOTA_SPENT
    return Outcome(verdict, seconds=signal.seconds)
