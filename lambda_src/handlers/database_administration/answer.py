"""Answers CloudFormation for the function beside the database, which may have no way to where the answer goes.

CloudFormation wants its answer in a bucket of its own, and subnets without a way out reach no bucket. So this function,
outside the VPC, calls the other one and passes on what it says. Of the event and the answer nothing is logged.
"""

from __future__ import annotations

import json
import logging
import os
import time
import urllib.request
from functools import cache
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.session import Session

NOT_MADE = "not-made"
"""The physical id of what could not be created: its deletion, which CloudFormation asks for next, is done already."""
# CloudFormation takes up to 4,096 bytes. Source: CloudFormation User Guide, "Custom resource response objects".
_REASON_CHARACTERS = 1000
# The function does one thing at a time, is not quite there yet, or has lost its network interface, since weeks may lie
# between two deployments. Source: AWS Lambda API Reference, Invoke, Errors.
_COME_AGAIN = ("TooManyRequestsException", "ResourceConflictException", "ResourceNotReadyException")
_PAUSE_SECONDS = 2
# Left for the answer itself
_MARGIN_SECONDS = 20


def handler(event: dict[str, Any], context: Any) -> None:
    """Do what CloudFormation asks for, and say how it went."""
    answer = {name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")}
    answer["PhysicalResourceId"] = event.get("PhysicalResourceId", NOT_MADE)
    done = event["RequestType"] == "Delete" and answer["PhysicalResourceId"] == NOT_MADE
    try:
        answer |= {"Status": "SUCCESS", **({} if done else _call(event, context))}
    except Exception as error:
        # Unanswered, CloudFormation waits for as long as it may.
        logging.getLogger(__name__).warning(
            "%s of %s failed: %s", event["RequestType"], answer["LogicalResourceId"], error
        )
        answer |= {"Status": "FAILED", "Reason": str(error)[:_REASON_CHARACTERS]}
    _put(event["ResponseURL"], answer)


def _call(event: dict[str, Any], context: Any) -> dict[str, Any]:
    function = os.environ["ADMINISTRATION_FUNCTION"]
    # Whoever knows the URL can answer in its place.
    payload = json.dumps({name: value for name, value in event.items() if name != "ResponseURL"})
    while (response := _invoke(function, payload, last_try=_is_late(context))) is None:
        time.sleep(_PAUSE_SECONDS)
    result = json.load(response["Payload"])
    if "FunctionError" in response:
        raise RuntimeError(f"{result.get('errorMessage')} (logs of {function})")
    return result


def _invoke(function: str, payload: str, *, last_try: bool) -> dict[str, Any] | None:
    try:
        return _client().invoke(FunctionName=function, Payload=payload)
    except ClientError as error:
        if last_try or error.response["Error"]["Code"] not in _COME_AGAIN:
            raise
        return None


def _is_late(context: Any) -> bool:
    longest = int(os.environ["ADMINISTRATION_TIMEOUT"]) + _MARGIN_SECONDS
    return context.get_remaining_time_in_millis() < longest * 1000


@cache
def _client() -> Any:
    # One call may take as long as the other function's timeout, and must not be repeated meanwhile.
    config = Config(read_timeout=int(os.environ["ADMINISTRATION_TIMEOUT"]) + 10, retries={"total_max_attempts": 1})
    return Session().create_client("lambda", region_name=os.environ["AWS_REGION"], config=config)


def _put(url: str, answer: dict[str, str]) -> None:
    # An empty content type, since it is part of what the URL is signed for.
    request = urllib.request.Request(url, json.dumps(answer).encode(), {"Content-Type": ""}, method="PUT")  # noqa: S310
    with urllib.request.urlopen(request, timeout=10):  # noqa: S310 -- CloudFormation's own URL
        pass
