"""A call of a provider that cannot wait in a queue: it takes a slot of a quota, beside the quota's dispatcher."""

from __future__ import annotations

import json
import logging
import os
from contextlib import contextmanager
from math import ceil, inf
from time import monotonic, sleep, time
from typing import TYPE_CHECKING, Any, cast

from breakwater_runtime._aws import ask, client, is_transient, was_not_sent
from breakwater_runtime.deadline import Deadline
from breakwater_runtime.environment import LONGEST_FUNCTION_SECONDS, variable
from breakwater_runtime.errors import BreakwaterError, ConfigurationError, ConnectionUnavailable
from breakwater_runtime.quota_signals import QuotaSpent, RetryAfter, number_of, used_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from breakwater_runtime.deadline import LambdaContext

_ANSWER_SECONDS = 10
"""A cold start of the function that is asked included."""
_ASKED_SECONDS = 2.0
"""So long the answer is waited for at least, within the invocation: a slot whose answer is lost is held in vain."""
_REPORT_SECONDS = 0.3
"""So long an end is reported at least, within the margin that `Deadline` leaves."""


class QuotaBusy(BreakwaterError):  # noqa: N818 -- a state, not a fault
    """No slot is free within the time that there was.

    Attributes
    ----------
    retry_after
        Seconds after which one is free, for all that is known now; what is in flight may end earlier.
    """

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class _Watch:
    """How long ago something was, at least (`low`) and at most (`high`), in ms: either clock may be wrong."""

    def __init__(self) -> None:
        self._monotonic, self._wall = monotonic(), time()

    def low(self) -> float:
        return 1_000 * (monotonic() - self._monotonic)

    def high(self) -> float:
        return 1_000 * max(monotonic() - self._monotonic, time() - self._wall)


class QuotaSlot:
    """The right to make one call of the provider, in the block of `acquire`."""

    def __init__(self, slot: dict[str, Any], sent: _Watch) -> None:
        self._slot = slot
        self._sent = sent
        self._used: float | None = None

    def used(self, weight: float) -> None:
        """Say what the call has used in truth, in the unit of the quota's `weight`: the rest is free at once.

        Parameters
        ----------
        weight
            0 or more.

        Raises
        ------
        ValueError
            When it is negative, or no number.
        """
        self._used = used_of(weight)

    def _end(self, error: BaseException | None) -> dict[str, Any]:
        """Return what is said of its end."""
        end: dict[str, Any] = {"slot": self._slot, "elapsed": ceil(self._sent.high())}
        if self._used is not None:
            end["used"] = self._used
        if error is not None:  # Only a signal is of interest; another text may hold anything.
            end["error"] = str(error) if isinstance(error, RetryAfter | QuotaSpent) else "failed"
        return end


@contextmanager
def acquire(
    context: object | None = None, *, weight: float | None = None, within: float | None = None, name: str | None = None
) -> Iterator[QuotaSlot]:
    """Take a slot of a quota for a call that is made at once, in a `with` block, and give it back at its end.

    The function was given the right by `quota.grant_acquire(function)`. The slot is taken from the counter that the
    quota's dispatcher uses, too: it goes before what waits there, and is as late as the tiers want it.

        with breakwater.acquire(context, weight=500) as slot:
            response = http.request("POST", url, body=body, timeout=8)
            slot.used(response.json()["usage"]["total_tokens"])

    `RetryAfter` and `QuotaSpent`, raised in the block, tell the quota what the provider said; they pass through, as any
    other exception does.

    Parameters
    ----------
    context
        Lambda's context. A function that dies in the block holds its slot until its invocation would have ended. None:
        for 15 minutes.
    weight
        What the call uses at most, in tiers that count weights. Default: no tier counts weights.
    within
        Seconds to wait for a slot, within the invocation's time; 0: only for one that is free now. The answer is
        waited for 2 s in any case. Default: until 0.5 s before the invocation's end; without a context 15 s.
    name
        As for `grant_acquire`. Default: the function has one quota.

    Raises
    ------
    QuotaBusy
        No slot is free in time; `retry_after` says how long it takes.
    ConfigurationError
        The function has no such quota, `name` is no text, the weight is no number above 0 or is missing though a tier
        counts weights, `within` is no number from 0 on, or no tier grants so much at once.
    ConnectionUnavailable
        The quota was not reached in time. If a slot was taken nevertheless, it is free when the invocation has ended.
    """
    if not isinstance(name, str | None):
        raise ConfigurationError(f"name={name!r} is no text.")
    key = variable("ACQUIRE", name)
    function = os.environ.get(key)
    if not function:
        raise ConfigurationError(f"{key} is not set. quota.grant_acquire(function) sets it.")
    slot = _acquired(function, context, None if weight is None else _weight(weight), _seconds(within))
    try:
        yield slot
    except BaseException as error:
        _report(function, context, slot._end(error))
        raise
    _report(function, context, slot._end(None))


def _weight(given: float) -> float:
    """Return a weight: what is none would reach no quota, with an error that names no weight."""
    weight = number_of(given)
    if not 0 < weight < inf:
        raise ConfigurationError(f"acquire needs a weight above 0 (given {given!r}).")
    return weight


def _seconds(within: float | None) -> float:
    """Return how long a slot may be waited for."""
    seconds = inf if within is None else number_of(within)
    if not seconds >= 0:
        raise ConfigurationError(f"acquire needs within in seconds, 0 or more (given {within!r}).")
    return seconds


def _acquired(function: str, context: object | None, weight: float | None, within: float) -> QuotaSlot:
    invocation = Deadline(context)
    deadline = invocation.within(within)
    while True:

        def invoke() -> tuple[_Watch, dict[str, Any]]:
            # Everything is counted from here: the quota's clock is read later, so that each call ends late enough.
            sent = _Watch()
            left = LONGEST_FUNCTION_SECONDS
            if context is not None:
                left = cast("LambdaContext", context).get_remaining_time_in_millis() / 1_000
            request = {
                "weight": 1 if weight is None else weight,
                "within": max(0, int(1_000 * deadline.remaining())),
                "lasts": ceil(1_000 * left),
            }
            return sent, _invoke(function, request)

        asked = invocation.within(max(_ASKED_SECONDS, deadline.remaining()))
        sent, answer = ask(_target(function), asked, invoke, _was_not_invoked, answer_seconds=_ANSWER_SECONDS)
        if "refused" in answer:
            raise ConfigurationError(f"{_target(function)}: {answer['refused']}.")
        if "slot" in answer:
            slot = QuotaSlot(answer["slot"], sent)
            if weight is None and (unit := answer["slot"].get("unit")):
                _give_back(function, context, slot)
                raise ConfigurationError(f"{_target(function)} counts {unit}: acquire needs the call's weight.")
            return _in_time(function, context, slot, answer)
        pause = answer.get("again", 0) / 1_000
        if not pause or deadline.remaining() <= pause:
            retry_after = answer["busy"] / 1_000
            raise QuotaBusy(f"{_target(function)}: no slot is free in time, one is in {retry_after:g} s", retry_after)
        sleep(pause)


def _in_time(function: str, context: object | None, slot: QuotaSlot, answer: dict[str, Any]) -> QuotaSlot:
    """Wait for the start of a slot; one that has passed is given back."""
    received = _Watch()
    while (rest := answer["wait"] - received.low()) > 0:
        sleep(rest / 1_000)
    if slot._sent.high() > answer["late"]:
        _give_back(function, context, slot)
        raise QuotaBusy(f"{_target(function)}: the slot had passed before it could be used", 0)
    return slot


def _give_back(function: str, context: object | None, slot: QuotaSlot) -> None:
    """Report that there was no call."""
    _report(function, context, {**slot._end(None), "unused": True})


def _report(function: str, context: object | None, request: dict[str, Any]) -> None:
    deadline = Deadline(context).at_least(_REPORT_SECONDS)
    try:
        ask(_target(function), deadline, lambda: _invoke(function, request), is_transient)
    except Exception as error:
        logging.getLogger(__name__).warning(
            "The end of a call was not reported, so its place is free only when the invocation must have ended: %s",
            error,
        )


def _invoke(function: str, request: dict[str, Any]) -> dict[str, Any]:
    lambda_ = client("lambda", answer_seconds=_ANSWER_SECONDS)
    response = lambda_.invoke(FunctionName=function, Payload=json.dumps(request).encode())
    answer = json.loads(response["Payload"].read())
    if "FunctionError" in response:
        raise ConnectionUnavailable(f"{_target(function)} failed: {answer.get('errorMessage', answer)}", 1)
    return answer


def _was_not_invoked(error: Exception) -> bool:
    from botocore.exceptions import ClientError

    if isinstance(error, ClientError):
        return error.response.get("Error", {}).get("Code") == "TooManyRequestsException"
    return was_not_sent(error)


def _target(function: str) -> str:
    return f"the quota behind {function}"
