"""The calls of a drill: kept in the air until the time is over, and counted by what came of them."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from .drill_plan import Drill, Target

    Client = Callable[[str], Any]

_PAUSE_SECONDS = 0.2
"""After a throttle, with as much jitter."""
_LOOK_SECONDS = 5.0
# PostgreSQL, MySQL and MariaDB, PgBouncer, the runtime.
_REFUSALS = ("too many clients", "too many connections", "connection slots", "max_user_connections", "no more connect",
             "ConnectionUnavailable")  # fmt: skip


@dataclass
class Seen:
    """What came of the calls of one function.

    Attributes
    ----------
    answers
        How many were answered, throttled, refused by the database, or failed otherwise.
    first_throttle
        Seconds after the beginning.
    error
        The first text of an error.
    """

    answers: Counter[str] = field(default_factory=Counter)
    first_throttle: float | None = None
    error: str = ""


@dataclass
class Outcome:
    """What a drill has shown.

    Attributes
    ----------
    seen
        By target.
    began, ended
        Unix time.
    fired
        The alarms that ended it.
    """

    seen: dict[str, Seen]
    began: float
    ended: float = 0.0
    fired: tuple[str, ...] = ()


def run(drill: Drill, payload: bytes, client: Client, firing: Callable[[], tuple[str, ...]]) -> Outcome:
    """Keep the calls in the air until the time is over, all calls are made, or an alarm fires.

    Parameters
    ----------
    payload
        What every call sends.
    client
        Makes the client of a service.
    firing
        Names the alarms that fire now.
    """
    outcome = Outcome({target.name: Seen() for target in drill.targets}, time.time())
    over, lock = Event(), Lock()
    left = {target.name: drill.most_calls // len(drill.targets) for target in drill.targets}
    lambda_ = client("lambda")

    def may_call(target: Target) -> bool:
        with lock:
            left[target.name] -= 1
            return left[target.name] >= 0 and not over.is_set()

    def keep_calling(target: Target) -> None:
        seen = outcome.seen[target.name]
        while may_call(target):
            what, text = _call(lambda_, target.function, payload)
            with lock:
                seen.answers[what] += 1
                seen.error = seen.error or text
                if what == "throttled" and seen.first_throttle is None:
                    seen.first_throttle = time.time() - outcome.began
            if what == "throttled":
                over.wait(_PAUSE_SECONDS * (1 + random.random()))  # noqa: S311 -- jitter

    callers = [target for target in drill.targets for _ in range(target.at_once)]
    with ThreadPoolExecutor(len(callers)) as pool:
        running = [pool.submit(keep_calling, target) for target in callers]
        end = outcome.began + drill.seconds
        try:
            while not outcome.fired and (rest := end - time.time()) > 0:
                if not wait(running, min(rest, _LOOK_SECONDS)).not_done:
                    break
                outcome.fired = firing()
        finally:  # the one who interrupts it waits for the calls in the air, and no longer
            over.set()
    for each in running:
        each.result()
    outcome.ended = time.time()
    return outcome


def _call(lambda_: Any, function: str, payload: bytes) -> tuple[str, str]:
    """Call once; return what came of it, and the text of an error."""
    try:
        answer = lambda_.invoke(FunctionName=function, Payload=payload)
    except lambda_.exceptions.TooManyRequestsException:
        return "throttled", ""
    text = answer["Payload"].read().decode(errors="replace")
    if "FunctionError" not in answer:
        return "answered", ""
    try:
        said = json.loads(text)
        text = f"{said.get('errorType', 'Error')}: {said.get('errorMessage', '')}"
    except (ValueError, AttributeError):
        pass
    refused = any(refusal.lower() in text.lower() for refusal in _REFUSALS)
    return ("refused" if refused else "failed"), text
