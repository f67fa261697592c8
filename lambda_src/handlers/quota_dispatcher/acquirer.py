"""Hands slots to functions that call the provider themselves, from the counter that the dispatcher writes, too.

A caller asks with ``{"weight", "within", "lasts"}`` and hears of a slot and how long to wait for it, or when to ask
again. Then it says with ``{"slot", "elapsed"}`` what came of it, and how many milliseconds after its request was sent
that was, so that nobody compares clocks.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from functools import cache
from math import ceil
from typing import TYPE_CHECKING, Any

from .aws_errors import AwsError
from .call import Verdict, judge
from .clocks import MAX_SKEW, Frame, Reading
from .counter import ACQUIRED, Counter
from .counters import Counters
from .estimate import Estimate
from .grants import Slot
from .held import Held, Ref
from .host import ThreadHost
from .log import log
from .process import clients, settings
from .quota import LATE
from .reports import Report
from .ring import new_id
from .store import Item, Store
from .taking import Taking
from .tiers import TAG, fingerprint
from .weights import WeightError, whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from .host import Host
    from .process import Clients
    from .settings import Settings

ATTEMPTS = 20
"""So often a write is tried that others are faster with."""
AGAIN = 500
"""After so long a caller asks again, when its place depends on calls that have not ended."""
FRESH = 5_000
"""So long the tag that names the tiers of the last deployment is taken to be unchanged."""
ON_ITS_WAY = 1_000
"""So long after a caller's end the provider may still get what it has sent."""
LONGEST = 5_400_000
"""No caller lasts longer, on Lambda Managed Instances either: Lambda Developer Guide, "Lambda Managed Instances"."""
LARGEST_STATE = 200_000
"""No slot is handed out while the state has so many bytes. Each caller in flight adds about 200 to it, and the table
takes no item of 400 KB: the dispatcher needs the rest."""
_NO_MESSAGE = Held(Ref(-1, -1, -1))


@dataclass
class Deployed:
    """What an execution environment knows of the last deployment.

    Attributes
    ----------
    tag
        The fingerprint of its tiers; empty when there is none.
    until
        It is looked at again then, by the monotonic clock.
    counters
        Of the process.
    """

    tag: str = ""
    until: int | None = None
    counters: Counters = field(default_factory=Counters)


def answer(
    request: dict[str, Any], settings: Settings, *, host: Host, clients: Clients, deployed: Deployed
) -> dict[str, Any]:
    """Answer one request: of several counters, the one of its slot, or any two."""

    def at(one: Settings) -> dict[str, Any]:
        return Acquirer(one, host=host, clients=clients, deployed=deployed).answer(request)

    if "slot" in request:
        given = request["slot"]
        return at(settings.divided(given.get("counters", 1), given.get("counter", 0)))
    first = Store(clients.dynamodb, settings.table)
    one = deployed.counters.any(settings, first)
    found = at(one)
    if "busy" not in found or one.counters == 1:
        return found
    second = at(deployed.counters.any(settings, first))
    return min(found, second, key=lambda each: each.get("busy", -1))


class Acquirer:
    """Answers one request.

    Parameters
    ----------
    settings
        Of the quota.
    host, clients, deployed
        The process.
    """

    def __init__(self, settings: Settings, *, host: Host, clients: Clients, deployed: Deployed) -> None:
        self._settings = settings
        self._host = host
        self._sqs = clients.sqs
        self._store = Store(clients.dynamodb, settings.table, settings.number, settings.counters)
        self._deployed = deployed

    @property
    def _which(self) -> dict[str, int]:
        settings = self._settings
        return {"counter": settings.number, "counters": settings.counters} if settings.counters > 1 else {}

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Take a slot, or take in what came of one.

        Returns
        -------
        dict
            ``{"slot", "wait", "late"}``: it may be used after `wait`, and no later than `late`; ``{"busy"}`` or
            ``{"busy", "again"}``: none is free within the time, for how long at most, and when to ask again;
            ``{"refused"}``: why there will never be one; nothing for a report.
        """
        if "slot" in request:
            return self._write("", lambda counter, now, estimate: self._end(counter, now, estimate, request))
        owner = ACQUIRED + new_id()[:16]
        answer = self._write(owner, lambda counter, now, estimate: self._take(counter, now, estimate, owner, request))
        if frame := answer.pop("frame", None):
            waited = frame.low(self._host.reading()) - frame.clock
            answer["wait"] = max(0, answer["wait"] - waited)
            answer["late"] = answer["wait"] + LATE
        return answer

    def _write(
        self, owner: str, change: Callable[[Counter, Reading, Estimate], tuple[dict[str, Any], bool]]
    ) -> dict[str, Any]:
        """Change the counter on the condition that nobody else does meanwhile, and return what `change` answers."""
        answers: dict[str, dict[str, Any]] = {}
        item = self._store.read()
        if not self._settings.number:
            self._deployed.counters.learn(item)
            if item.counters > self._settings.counters:  # A deployment has begun it meanwhile.
                self._settings = self._settings.divided(item.counters, 0)
        for attempt in range(ATTEMPTS):
            token = self._written(item, owner)
            if token in answers:
                return answers[token]
            counter = item.counter(self._settings)
            now = self._host.reading()
            estimate = Estimate.of(counter, now, item.token)
            if owner and not self._adopt(counter, estimate):
                return {"busy": FRESH, "again": AGAIN}
            answer, changed = change(counter, now, estimate)
            if not changed:
                return answer
            token = new_id()[:16]
            answers[token] = answer
            self._sign(counter, owner, token)
            estimate.leave(counter)
            presence = item.presence
            if item.first_release is not None:
                # With this write the dispatcher of the release before is out, and never knew of the shelf.
                presence = presence._replace(until=0)
            try:
                written, item = self._store.write(item, counter, presence, token, leaving=False)
                if written:
                    return answer
            except AwsError as error:
                log("writing the counter failed", error=repr(error))
                item = self._store.read()
            self._host.sleep(random.randint(0, 10 << min(attempt, 4)))  # noqa: S311 -- jitter
        token = self._written(item, owner)
        return answers.get(token, {"busy": 1_000, "again": AGAIN})

    def _written(self, item: Item, owner: str) -> str:
        """Return the token of the last write, or of the one that came through before others have written."""
        if not owner or item.state is None:
            return item.token
        return item.counter(self._settings).writers.get(owner, item.token)

    @staticmethod
    def _sign(counter: Counter, owner: str, token: str) -> None:
        # Dispatchers take care of their own.
        holders = {name.partition("/")[0] for name in counter.quota.grants}
        writers = counter.writers.items()
        counter.writers = {name: last for name, last in writers if not name.startswith(ACQUIRED) or name in holders}
        if owner:
            counter.writers[owner] = token

    def _adopt(self, counter: Counter, estimate: Estimate) -> bool:
        """Go on with the tiers of the last deployment; False when this process doesn't know them."""
        now = self._host.reading().monotonic
        # What was seen before the counter was read may be old by now: it would bring the tiers of then back.
        changes = counter.tiers != self._settings.tiers
        if changes or self._deployed.until is None or now >= self._deployed.until:
            tags = self._sqs.list_queue_tags(QueueUrl=self._settings.doorbell).get("Tags", {})
            self._deployed.tag, self._deployed.until = tags.get(TAG, ""), now + FRESH
        if self._deployed.tag in ("", fingerprint(self._settings.all_tiers)):
            counter.quota.clock = estimate.high  # a new tier knows nothing of what was called until now
            counter.adopt(self._settings.tiers)
            counter.quota.clock = estimate.low
            return True
        return self._deployed.tag == fingerprint(counter.tiers)

    def _take(
        self, counter: Counter, now: Reading, estimate: Estimate, owner: str, request: dict[str, Any]
    ) -> tuple[dict[str, Any], bool]:
        quota = counter.quota
        try:
            weight = whole(request.get("weight", 1), "the weight") if quota.unit else 1
        except WeightError as error:
            return {"refused": str(error)}, False
        if weight > quota.heaviest:
            return {"refused": f"the weight is {weight}, and a tier grants {quota.heaviest} in all"}, False
        ends = min((grant.until for grant in quota.grants.values() if grant.calls), default=quota.clock)
        if (counter.away and quota.in_flight) or self._is_full(counter):
            return {"busy": max(ends, quota.paused_until) - quota.clock, "again": AGAIN}, False
        within = max(0, ceil(request["within"]))
        spread = estimate.high - estimate.low
        lasts = min(LONGEST, max(within, ceil(request["lasts"]))) + ON_ITS_WAY + MAX_SKEW + spread
        taking = Taking(quota, owner, within)
        low = taking.next(weight, longest_call=lasts)
        if low is None:
            if taking.next_start is None:
                return {"busy": max(AGAIN, ends - quota.clock), "again": AGAIN}, False
            return {"busy": taking.next_start - quota.clock}, False
        slot = low._replace(start=low.start + spread, frame=Frame(estimate.high, now))
        for window in quota.rolling:
            if window.arrival is not None:
                window.remove(low.start + window.arrival, low.cost(window))
                window.end(slot.start + window.arrival, slot.cost(window))
        given = {
            "grant": slot.grant,
            "start": slot.start,
            "clock": estimate.high,
            "wall": now.wall,
            "weight": weight,
            "unit": slot.unit,
            "most": slot.most,
            **self._which,
        }
        return {"slot": given, "wait": low.start - low.frame.clock, "frame": low.frame}, True

    @staticmethod
    def _is_full(counter: Counter) -> bool:
        # Only callers can be so many; to write it all down just to see how long it is would take too long for few.
        return len(counter.quota.grants) > LARGEST_STATE // 1_000 and len(counter.dump()) > LARGEST_STATE

    def _end(
        self, counter: Counter, now: Reading, estimate: Estimate, request: dict[str, Any]
    ) -> tuple[dict[str, Any], bool]:
        given = request["slot"]
        frame = Frame(given["clock"], Reading(given["wall"], 0))
        slot = Slot(given["grant"], given["start"], frame, {}, given["weight"], given["unit"], given["most"])
        if slot.grant not in counter.quota.grants:
            return {}, False  # It has expired, or this is said twice.
        counter.quota.clock = estimate.high  # a pause must not end early
        counter.report_acquired(self._report(slot, now, request))
        return {}, True

    def _report(self, slot: Slot, now: Reading, request: dict[str, Any]) -> Report:
        at = slot.frame.clock + max(0, ceil(request["elapsed"]))
        if request.get("unused"):
            return Report(slot, _NO_MESSAGE, at, Verdict.NOT_STARTED)
        verdict, milliseconds, used = Verdict.DONE, 0, None
        if "error" in request:
            outcome = judge({"errorMessage": request["error"]}, now.wall / 1000)
            verdict, milliseconds = outcome.verdict, round(outcome.seconds * 1000)
            periods = {tier["period"] for tier in self._settings.tiers}
            if verdict is Verdict.QUOTA_SPENT and milliseconds not in periods:
                verdict = Verdict.FAILED
        try:
            used = whole(request["used"], "what was used", least=0) if request.get("used") is not None else None
        except WeightError as error:
            log("what was used makes no sense", reason=str(error))
        if used is not None and slot.unit and used > slot.weight:
            log("a call has used more than its weight", weight=slot.weight, used=used)
        return Report(slot, _NO_MESSAGE, at, verdict, milliseconds, used=used)


@cache
def _deployed() -> Deployed:
    """Return what this execution environment knows of the last deployment."""
    return Deployed()


def handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Answer a caller."""
    return answer(event, settings(), host=ThreadHost(1), clients=clients(), deployed=_deployed())
