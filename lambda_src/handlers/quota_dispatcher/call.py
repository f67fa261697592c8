"""One call of the user's function, and what came of it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import Enum
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

_SIGNAL = re.compile(r"(RetryAfter|QuotaSpent)\(([0-9.e+]+)\)")


class Verdict(Enum):
    """What a call came to."""

    DONE = "done"
    FAILED = "failed"
    RETRY_AFTER = "retry after"
    QUOTA_SPENT = "quota spent"
    NOT_STARTED = "not started"
    """Lambda refused to start the function: the provider has seen nothing."""
    UNKNOWN = "unknown"
    """No answer came: the function may have run, or may still run."""


@dataclass(frozen=True)
class Outcome:
    """A verdict, with the seconds of a signal or the reason of a failure."""

    verdict: Verdict
    seconds: float = 0
    reason: str = ""


def call(client: Any, function: str, record: dict[str, Any]) -> Outcome:
    """Invoke the function with an SQS event of one record."""
    try:
        answer = client.invoke(FunctionName=function, Payload=json.dumps({"Records": [record]}).encode())
        payload = json.loads(answer["Payload"].read() or b"null")
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        # 4xx: not invoked. 5xx may come from after the start, too.
        refused = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500) < 500
        return Outcome(Verdict.NOT_STARTED if refused else Verdict.UNKNOWN, reason=f"{code}: {error}")
    except (BotoCoreError, OSError) as error:
        return Outcome(Verdict.UNKNOWN, reason=f"{type(error).__name__}: {error}")
    if "FunctionError" in answer:
        return judge(payload)
    if isinstance(payload, dict) and payload.get("batchItemFailures"):
        return Outcome(Verdict.FAILED, reason="the function reported the message in batchItemFailures")
    return Outcome(Verdict.DONE)


def judge(payload: Any) -> Outcome:
    """Tell a signal from a failure, by what Lambda says about the exception."""
    problem = payload if isinstance(payload, dict) else {}
    message = str(problem.get("errorMessage", payload))
    signal = _SIGNAL.fullmatch(message)
    if signal is None:
        return Outcome(Verdict.FAILED, reason=f"{problem.get('errorType', 'Error')}: {message}")
    verdict = Verdict.RETRY_AFTER if signal[1] == "RetryAfter" else Verdict.QUOTA_SPENT
    return Outcome(verdict, seconds=float(signal[2]))
