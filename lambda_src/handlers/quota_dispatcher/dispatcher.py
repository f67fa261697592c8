"""Takes slots first, receives messages after, and calls the user's function with one message per slot.

A ring (a message in the doorbell queue) starts a dispatcher. It stays as long as there is work and time, hides its ring
from the queue meanwhile, a few seconds at a time, and leaves a new ring behind when work remains. So when it dies, the
same ring comes back by itself and starts the next one.
"""

from __future__ import annotations

import json
import random
import sys
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from queue import Empty, Queue
from time import monotonic, time
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from .backlog import LATEST_RETRY_SECONDS, OLD, Backlog, Message, record
from .call import Outcome, Verdict, call
from .metrics import Metrics
from .settings import Settings
from .store import QuotaStore

if TYPE_CHECKING:
    from .quota import Slot

LATE = 2_000
"""A slot not used this long (ms, as all times here) after its start is given back. Part of `Settings.longest_call`."""
AHEAD = 1_000
"""Slots are taken up to so long before they start, in blocks."""
TURN = 500
"""Between two writes of the quota; `FULL_TURN` when it granted all that was wanted."""
FULL_TURN = 100
RECEIVE_AHEAD = 200
"""Messages are received so long before their slot starts."""
HELD = 5_000
"""A message that was received and found no slot for this long goes back."""
BREATH = 20
"""Between two looks at the backlog while calls are running."""
HEARTBEAT = 3_000
LEASE = 9_000
"""A dispatcher that died is followed by the next one after this long."""
LINGER = 3_000
"""A dispatcher leaves an empty backlog after this long."""
NAP = 20_000
"""For a longer rest of the quota the dispatcher leaves, and a ring with a delay starts the next one."""
RETRY_SOON = 5_000
"""The next look at messages that count as visible but could not be received: SQS counts approximately."""
RETRY_UNKNOWN = 10_000
"""The next look at messages that another dispatcher has hidden."""
LONGEST_DELAY = 900_000  # Amazon SQS Developer Guide: DelaySeconds is at most 15 minutes
FLUSH = 30_000
SPARE = 3_000
"""What is left of the invocation when the last call has ended."""
SIGNALS = (Verdict.RETRY_AFTER, Verdict.QUOTA_SPENT)


class Dispatcher:
    """One invocation's work.

    Parameters
    ----------
    settings
        Of the quota.
    ring
        The record of the doorbell queue that started it. Its body names a chain of rings: a dispatcher that leaves work
        behind rings with the same body.
    owner
        A name of its own, for the quota's clock: the request id.
    remaining
        Milliseconds that the invocation may last.
    """

    def __init__(self, settings: Settings, ring: dict[str, Any], owner: str, remaining: int) -> None:
        self._settings = settings
        self._ring = ring
        self._chain = ring["body"]
        self._owner = owner
        self._base = time() - monotonic()
        self._leave_at = self._now() + remaining - SPARE - settings.longest_call
        self._sqs, dynamodb, self._lambda = clients()
        self._store = QuotaStore(dynamodb, settings)
        self._backlog = Backlog(self._sqs, settings, visibility_seconds=(settings.longest_call + HELD) // 1000 + 1)
        self._metrics = Metrics(settings.name)
        self._results: Queue[tuple[Slot, int, Outcome]] = Queue()
        self._slots: deque[Slot] = deque()
        self._hand: deque[Message] = deque()
        self._running = 0
        self._ended: list[tuple[Slot, int]] = []
        self._unused: list[Slot] = []
        self._signals: list[Outcome] = []
        self._retries: list[int] = []
        self._empty_since: int | None = None
        self._old = False

    def run(self) -> None:
        """Work until the backlog is empty, the quota rests for long, or time is up."""
        self._store.read()
        if self._superseded():
            return  # Another is awake, and looks into the backlog once more after it has said that it leaves.
        with ThreadPoolExecutor(self._settings.parallelism) as pool:
            try:
                delay = self._work(pool)
            finally:
                for message in self._hand:
                    self._backlog.retry(message, 0)
        if delay is not None:
            self._sqs.send_message(
                QueueUrl=self._settings.doorbell,
                MessageBody=self._chain,
                DelaySeconds=min(delay, LONGEST_DELAY) // 1000,
            )

    def _work(self, pool: ThreadPoolExecutor) -> int | None:
        """Return after how long to ring again; None for never."""
        next_turn = next_heartbeat = 0
        next_flush = self._now() + FLUSH
        while True:
            now = self._now()
            self._drop_late(now)
            wanted = self._wanted()
            if now >= next_heartbeat or self._signals or (wanted and now >= next_turn):
                if now >= next_heartbeat:
                    self._hide_ring()
                    next_heartbeat = now + HEARTBEAT
                rest = self._turn(wanted, now + LEASE)
                if rest > NAP and not self._running:
                    return self._leave(rest)
                next_turn = now + rest
            if now >= next_flush:
                self._metrics.flush(self._store.quota(), sum(self._backlog.waiting()))
                next_flush = now + FLUSH
            if now >= self._leave_at:
                self._give_up_slots()
                if not self._running:
                    return self._leave_in_time()
            else:
                self._receive(now)
                self._start(pool)
                if self._empty_since is not None and self._now() - self._empty_since > LINGER:
                    return self._leave(0)
            self._collect(self._pause(next_heartbeat, next_turn))

    def _wanted(self) -> int:
        if self._now() >= self._leave_at:
            return 0
        # One slot is enough to look whether an empty backlog still is. Otherwise in blocks: a write for each is dear.
        most = self._settings.parallelism if self._empty_since is None else 1
        room = most - len(self._slots)
        return room if 2 * room >= most else 0

    def _turn(self, wanted: int, awake_until: int) -> int:
        """Report, take and store. Return after how long (ms) to do so again."""
        while True:
            holder = self._chain
            if self._superseded():  # The heartbeat came too late. What is running is reported, and that is all.
                self._leave_at, wanted = self._now(), 0
                holder, awake_until = self._store.holder, self._store.awake_until
            quota = self._store.quota()
            quota.advance(self._owner, self._now())
            for slot, at in self._ended:
                quota.ended(slot, at)
            for slot in self._unused:
                quota.give_back(slot)
            for signal in self._signals:
                if signal.verdict is Verdict.RETRY_AFTER:
                    quota.pause(quota.clock + round(signal.seconds * 1000))
                else:
                    quota.spend(round(signal.seconds * 1000))
            slots, next_start = quota.take(wanted, AHEAD)
            self._metrics.count("Writes")
            if self._store.write(quota, holder, awake_until):
                break
        self._ended.clear()
        self._unused.clear()
        self._signals.clear()
        self._slots.extend(slots)
        if next_start is not None:
            return max(TURN, next_start - quota.clock - AHEAD)
        return FULL_TURN if wanted == len(slots) else TURN

    def _receive(self, now: int) -> None:
        while self._hand and self._hand[0].received + HELD < now:
            self._backlog.retry(self._hand.popleft(), 0)
        due = sum(slot.wall <= now + RECEIVE_AHEAD for slot in self._slots) - len(self._hand)
        if due <= 0:
            return
        idle = not self._running and not self._hand
        found = self._backlog.receive(due, now, wait=idle)
        self._old = self._old or any(now - message.sent > OLD for message in found)
        self._hand.extend(found)
        if found or not idle:
            self._empty_since = None
        elif self._empty_since is None:
            self._empty_since = now

    def _start(self, pool: ThreadPoolExecutor) -> None:
        while self._hand and self._slots and self._slots[0].wall <= self._now():
            if self._running >= self._settings.parallelism:
                return
            self._running += 1
            pool.submit(self._call, self._slots.popleft(), self._hand.popleft())

    def _drop_late(self, now: int) -> None:
        while self._slots and self._slots[0].wall + LATE < now:
            self._unused.append(self._slots.popleft())

    def _call(self, slot: Slot, message: Message) -> None:
        at, outcome = slot.start, Outcome(Verdict.UNKNOWN, reason="the dispatcher failed")
        try:
            if self._now() > slot.wall + LATE:
                outcome = Outcome(Verdict.NOT_STARTED, reason="its slot had passed")
            else:
                outcome = self._judged(call(self._lambda, self._settings.function, record(message)))
            at = slot.start + self._now() - slot.wall
            self._settle(message, outcome)
        except Exception as error:  # the message comes back by itself; the slot must be reported
            log("settling a message failed", message=message.content["MessageId"], error=repr(error))
        finally:
            self._results.put((slot, at, outcome))

    def _judged(self, outcome: Outcome) -> Outcome:
        periods = {tier["period"] for tier in self._settings.tiers}
        if outcome.verdict is Verdict.QUOTA_SPENT and round(outcome.seconds * 1000) not in periods:
            reason = f"QuotaSpent({outcome.seconds:g}): no tier has this period"
            return Outcome(Verdict.FAILED, reason=reason)
        return outcome

    def _settle(self, message: Message, outcome: Outcome) -> None:
        """Delete, retry or bury a message. Only a failure of its own counts against it."""
        message_id = message.content["MessageId"]
        if outcome.verdict is Verdict.DONE:
            self._backlog.delete(message)
        elif outcome.verdict in SIGNALS:
            self._backlog.retry(message, 0)
        elif outcome.verdict is Verdict.FAILED:
            failures = self._store.failed(message_id, self._now())
            log("call failed", message=message_id, failures=failures, reason=outcome.reason)
            if failures >= self._settings.max_attempts:
                self._backlog.bury(message, outcome.reason, failures)
                self._metrics.count("DeadLettered")
            else:
                self._retry_later(message, failures)
        else:
            log("call not answered", message=message_id, verdict=outcome.verdict.value, reason=outcome.reason)
            self._retry_later(message, failures=1)

    def _retry_later(self, message: Message, failures: int) -> None:
        seconds = backoff(failures)
        self._backlog.retry(message, seconds)
        self._retries.append(self._now() + seconds * 1000)

    def _collect(self, timeout: float) -> None:
        """Take in what has ended, waiting for the first."""
        while True:
            try:
                slot, at, outcome = self._results.get(timeout=timeout)
            except Empty:
                return
            timeout = 0.0001
            self._running -= 1
            if outcome.verdict is Verdict.NOT_STARTED:
                self._unused.append(slot)
            elif outcome.verdict is not Verdict.UNKNOWN:  # what is unknown counts until it must have ended
                self._ended.append((slot, at))
                self._metrics.count("Calls")
            if outcome.verdict is Verdict.FAILED:
                self._metrics.count("Failures")
            if outcome.verdict in SIGNALS:
                self._metrics.count("Signals")
                self._signals.append(outcome)
                self._give_up_slots()

    def _pause(self, next_heartbeat: int, next_turn: int) -> float:
        """Seconds until something is to be done."""
        now = self._now()
        upcoming = min(next_heartbeat, max(next_turn, now + BREATH))
        if self._slots:
            lead = 0 if self._hand else RECEIVE_AHEAD
            upcoming = min(upcoming, max(self._slots[0].wall - lead, now + BREATH))
        return max(0.001, (upcoming - now) / 1000)

    def _leave_in_time(self) -> int:
        """Time is up: the next ring of this chain goes on at once, nobody else has to ring."""
        self._turn(0, self._now() + LEASE)
        return 0

    def _leave(self, rest: int) -> int | None:
        """Go because the backlog is empty, or because the quota rests for so long.

        First say so, then look once more: who files a message in between has either found this one awake, and the
        message is seen here, or rings.
        """
        if rest:
            self._give_up_slots()
            if self._old:
                self._turn(0, self._leave_at)
                self._hide_ring(self._leave_at - self._now())
                log("renewed", messages=self._backlog.renew(self._now(), lambda: self._now() >= self._leave_at))
        self._turn(0, 0)
        self._hand.extend(self._backlog.receive(min(1, len(self._slots)), self._now(), wait=True))
        self._give_up_slots()
        visible, hidden = self._backlog.waiting()
        asleep_until = self._now() + rest + LEASE if rest and visible else 0
        self._turn(0, asleep_until)
        self._metrics.flush(self._store.quota(), visible + hidden)
        if self._hand or not (visible or hidden):
            return 0 if self._hand else None
        return max(rest, self._next_retry(RETRY_SOON if visible else RETRY_UNKNOWN))

    def _next_retry(self, longest: int) -> int:
        now = self._now()
        return max(1_000, min([longest, *(due - now for due in self._retries if due > now)]))

    def _give_up_slots(self) -> None:
        self._unused.extend(self._slots)
        self._slots.clear()

    def _superseded(self) -> bool:
        return self._store.holder != self._chain and self._store.awake_until > self._now()

    def _hide_ring(self, milliseconds: int = LEASE) -> None:
        self._sqs.change_message_visibility(
            QueueUrl=self._settings.doorbell,
            ReceiptHandle=self._ring["receiptHandle"],
            VisibilityTimeout=max(LEASE, milliseconds) // 1000,
        )

    def _now(self) -> int:
        return int((self._base + monotonic()) * 1000)


def backoff(failures: int) -> int:
    """Seconds until the next try: 2, 4, 8 ... with jitter, 15 minutes at most."""
    longest = min(LATEST_RETRY_SECONDS, 2**failures)
    return max(1, round(longest * random.uniform(0.5, 1)))  # noqa: S311 -- jitter


def log(text: str, **details: object) -> None:
    """Write a line of JSON. Bodies of messages never appear in it."""
    sys.stdout.write(json.dumps({"message": text, **details}) + "\n")


@cache
def settings() -> Settings:
    """Read them once per execution environment."""
    return Settings.from_environment()


@cache
def clients() -> tuple[Any, Any, Any]:
    """Make the clients of SQS, DynamoDB and Lambda, once per execution environment."""
    sockets = settings().parallelism + 5
    config = Config(max_pool_connections=sockets)
    # A repeated invocation would be a second call, without a slot of its own.
    timeout = (settings().longest_call - LATE) / 1000
    once = Config(max_pool_connections=sockets, read_timeout=timeout, retries={"total_max_attempts": 1})
    return (
        boto3.client("sqs", config=config),
        boto3.client("dynamodb", config=config),
        boto3.client("lambda", config=once),
    )


def handler(event: dict[str, Any], context: Any) -> None:
    """Answer the doorbell: its mapping hands over one ring at a time."""
    (ring,) = event["Records"]
    Dispatcher(settings(), ring, context.aws_request_id, context.get_remaining_time_in_millis()).run()
