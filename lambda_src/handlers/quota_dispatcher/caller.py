"""Makes one call of the user's function, and says what came of it."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from .aws_errors import AwsError
from .call import Outcome, Verdict, call
from .dead_letters import bury
from .freight import Freight, freight_room
from .held import Ref
from .keys import key_refusal
from .log import log
from .page_reader import TooLateError
from .quota import LATE
from .reports import Report
from .weights import refusal, weigh

if TYPE_CHECKING:
    from .grants import Slot
    from .held import Held
    from .host import Host
    from .library import Library
    from .metrics import Metrics
    from .process import Clients
    from .settings import Settings

Flight = tuple[Ref, str]
"""A call: a message, and the grant by which it is called. When a grant expires, its messages are called by another one,
perhaps beside calls that are still running."""
LATEST_RETRY_SECONDS = 900


class Caller:
    """Calls on any thread.

    Parameters
    ----------
    settings, host, clients, library, metrics
        Of the dispatcher.

    Attributes
    ----------
    begun
        When a call began, by the quota's clock (`Frame.high`).
    """

    def __init__(self, settings: Settings, host: Host, clients: Clients, library: Library, metrics: Metrics) -> None:
        self._settings = settings
        self._host = host
        self._clients = clients
        self._library = library
        self._metrics = metrics
        self._freight = Freight(freight_room(), host.sleep)
        self.begun: dict[Flight, int] = {}

    def late(self, slot: Slot) -> bool:
        """Tell whether it is too late to use a slot."""
        return slot.frame.high(self._host.reading()) > slot.start + LATE

    def call(self, slot: Slot, held: Held) -> Report:
        """Make one call, on a thread of its own."""
        verdict, milliseconds, settled = Verdict.UNKNOWN, 0, False
        try:
            prepared = self._prepared(slot, held)
            if isinstance(prepared, Report):
                return prepared
            message, weight, event = prepared
            try:
                if self.late(slot):
                    return Report(slot, held, slot.start, Verdict.NOT_STARTED)
                reading = self._host.reading()
                self.begun[held.ref, slot.grant] = slot.frame.high(reading)
                now = reading.wall / 1000
                outcome = call(self._clients.lambda_, self._settings.function, event, now, self._freight)
            finally:
                self._freight.give_back(event)
            outcome = self._judged(outcome)
            at = slot.frame.high(self._host.reading())
            verdict, milliseconds = outcome.verdict, round(outcome.seconds * 1000)
            settled = verdict is Verdict.DONE
            used = _used(message, weight, outcome)
            if verdict is Verdict.FAILED:
                milliseconds = 1000 * backoff(held.failures + 1)
                settled = self._buried(message, held, outcome)
            elif verdict is not Verdict.DONE:
                log(
                    "call not made or not answered",
                    message_id=message,
                    verdict=verdict.value,
                    reason=outcome.reason,
                )
            told = outcome.told
            if uneven := self._settings.batch:
                told = tuple(each.divided(self._settings.number, self._settings.counters, uneven) for each in told)
            return Report(slot, held, at, verdict, milliseconds, settled, used=used, told=told)
        except Exception as error:  # its slot stays taken until the call must have ended, and then it comes back
            log("a call failed here", error=repr(error), verdict=verdict.value)
            at = slot.frame.high(self._host.reading())
            return Report(slot, held, at, Verdict.UNKNOWN)

    def _prepared(self, slot: Slot, held: Held) -> tuple[str, int | None, bytes] | Report:
        """Return a message's id, weight and event, or what came of it without a call.

        The message itself is not kept during its call: its event is enough.
        """
        # Reads may be slow, and those who wait here would each wait for one of their own.
        try:
            size = self._library.size(held, lambda: self.late(slot))
        except TooLateError:
            return Report(slot, held, slot.start, Verdict.NOT_STARTED)
        with self._freight.messages.alone(size):
            if self.late(slot):
                return Report(slot, held, slot.start, Verdict.NOT_STARTED)
            record = self._library.record(held)
            if record is None:
                return Report(slot, held, slot.start, Verdict.NOT_STARTED, settled=True)
            if reason := key_refusal(record, self._settings.key) or refusal(record, slot.unit, slot.most):
                buried = self._bury(record, held.failures, reason)
                return Report(slot, held, slot.start, Verdict.NOT_STARTED, settled=buried)
            weight = weigh(record, slot.unit) if slot.unit else None
            event = self._freight.take(record, lambda: self.late(slot))
        if event is None:
            return Report(slot, held, slot.start, Verdict.NOT_STARTED)
        return record["messageId"], weight, event

    def _judged(self, outcome: Outcome) -> Outcome:
        periods = {tier["period"] for tier in (*self._settings.tiers, *self._settings.key_tiers)}
        if outcome.verdict is Verdict.QUOTA_SPENT and round(outcome.seconds * 1000) not in periods:
            reason = f"QuotaSpent({outcome.seconds:g}): no tier has this period"
            return Outcome(Verdict.FAILED, reason=reason)
        return outcome

    def _buried(self, message: str, held: Held, outcome: Outcome) -> bool:
        """Move a message that has failed too often into the dead-letter queue."""
        failures = held.failures + 1
        log("call failed", message_id=message, failures=failures, reason=outcome.reason)
        if failures < self._settings.max_attempts:
            return False
        with self._freight.messages.alone(self._library.size(held)):
            record = self._library.record(held)
            return record is None or self._bury(record, failures, outcome.reason)

    def _bury(self, record: dict[str, Any], failures: int, reason: str) -> bool:
        """Move a message into the dead-letter queue; False when that failed."""
        settings = self._settings
        try:
            bury(self._clients.sqs, settings.dead_letters, record, reason, failures, ordered=settings.ordered)
        except AwsError as error:
            log("burying a message failed", message_id=record["messageId"], error=repr(error))
            return False
        self._metrics.count("DeadLettered")
        return True


def _used(message: str, weight: int | None, outcome: Outcome) -> int | None:
    """Return what a call has weighed in truth, as far as that is known."""
    if outcome.verdict is Verdict.DONE and outcome.reason:
        log("a part of what the function returned makes no sense", message_id=message, reason=outcome.reason)
    if weight is None:
        return None
    if outcome.used is not None and outcome.used > weight:
        log("a call has used more than its weight", message_id=message, weight=weight, used=outcome.used)
    return weight if outcome.used is None else outcome.used


def backoff(failures: int) -> int:
    """Seconds until the next try: 2, 4, 8 ... with jitter, 15 minutes at most."""
    longest = min(LATEST_RETRY_SECONDS, 2 ** min(failures, 20))
    return max(1, round(longest * random.uniform(0.5, 1)))  # noqa: S311 -- jitter
