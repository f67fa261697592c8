"""Takes slots and messages in one write, and calls the user's function with one message per slot.

A ring starts a dispatcher. It stays as long as there is something to do soon, hides its ring from the queue meanwhile,
a few seconds at a time, and leaves in the same write that reports its last call. So when it dies, its ring comes back
by itself and starts the next one; and whoever files a message either finds somebody awake, or a ring on its way, or
rings.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from .aws_errors import AwsError
from .call import Verdict
from .caller import Caller
from .counter import Counter, Report, Taken
from .doorbell import Doorbell
from .flights import Flights
from .former_queues import FormerQueues
from .hands import Hands
from .host import ThreadHost
from .library import Library
from .log import log
from .metrics import Metrics
from .pages import Pages
from .process import clients, memory, settings
from .ring import Ring, new_id
from .store import Item, Presence, Store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .caller import Flight
    from .clocks import Frame
    from .grants import Slot
    from .held import Held, Ref
    from .host import Host
    from .process import Clients, Memory
    from .settings import Settings

AHEAD = 1_000
"""Slots are taken up to so long before they start, in blocks."""
TURN = 500
"""Between two writes that take slots; `FULL_TURN` when most hands are free again."""
FULL_TURN = 100
LOOK = 500
"""Between two looks for new messages while calls are running and nothing else waits."""
STAY = 1_500
"""For a longer rest the dispatcher leaves, and a ring with a delay starts the next one: that costs as much as to stay
awake for so long, within a factor of two."""
HEARTBEAT = 3_000
LEASE = 9_000
"""A dispatcher that died is followed by the next one after this long."""
GRACE = 30_000
"""A ring that is so late is no longer waited for."""
ELSEWHERE = 5_000
"""After so long the next one looks whether it has the tiers of the last deployment."""
FLUSH = 30_000
SPARE = 3_000
"""What is left of the invocation when the last call has ended."""
PATIENCE = 20
"""So many times in a row the counter may fail to be written before the dispatcher gives up."""
MADE = (Verdict.DONE, Verdict.FAILED)
SIGNALS = (Verdict.RETRY_AFTER, Verdict.QUOTA_SPENT, Verdict.REFUSED)


@dataclass(frozen=True)
class Plan:
    """One attempt to write the counter.

    Attributes
    ----------
    presence
        Who is awake after it, or which ring comes.
    rest
        Milliseconds after which there may be something to do; None when nothing waits. Of one who stays: until the next
        turn.
    begun
        The calls of which it says when they began.
    """

    counter: Counter
    frame: Frame
    taken: Taken
    presence: Presence
    leaving: bool
    rest: int | None
    begun: Mapping[Flight, int] = field(default_factory=dict)


class Dispatcher:
    """One invocation's work.

    Parameters
    ----------
    settings
        Of the quota.
    ring
        What started it.
    remaining
        Milliseconds that the invocation may last.
    host, clients, memory
        The process.
    """

    def __init__(
        self, settings: Settings, ring: Ring, remaining: int, *, host: Host, clients: Clients, memory: Memory
    ) -> None:
        self._settings = settings
        self._ring = ring
        self._host = host
        self._clients = clients
        self._memory = memory
        memory.invocations += 1
        self._hands = memory.hands = memory.hands or Hands(settings.parallelism)
        self._name = f"{memory.name}.{memory.invocations}"
        self._leave_at = host.reading().monotonic + remaining - SPARE - settings.longest_call
        self._doorbell = Doorbell(settings, clients.sqs, ring)
        self._former = FormerQueues(settings, clients.sqs)
        self._store = Store(clients.dynamodb, settings.table)
        self._metrics = Metrics(settings.name)
        self._library = Library(host, Pages(clients.dynamodb, settings.table), self._store)
        self._caller = Caller(settings, host, clients, self._library, self._metrics)
        self._hand: deque[tuple[Slot, Held]] = deque()
        self._reports: list[Report] = []
        self._flights = Flights(self._caller.begun)
        self._next_said = 0
        self._by_arrival = any("arrival" in tier for tier in settings.tiers)
        self._joined = False
        self._stopping = False
        self._outdated = False
        self._item = Item(None, None, "", Presence(), {}, 0)
        self._more = False
        self._blocked = False
        self._refiled: set[Ref] = set()
        self._next_turn = 0
        self._next_look = 0
        self._next_heartbeat = 0
        self._next_flush = host.reading().monotonic + FLUSH

    def run(self) -> bool:
        """Work until nothing is to be done soon, or time is up. False: the ring must stay in its queue."""
        self._item = self._store.read()
        verdict = self._arrive()
        if verdict is not None:
            return verdict
        try:
            while self._turn_if_due():
                self._start()
                self._collect(self._pause())
        finally:
            self._host.close()
        # Another that answers this same ring relies on it.
        return self._item.presence.holder in ("", self._name) or self._item.presence.ring != self._ring.message

    def _arrive(self) -> bool | None:
        """Tell whether the ring can go (True), must stay (False), or is to be answered (None)."""
        now = self._host.reading().wall
        presence = self._item.presence
        if self._item.first_release is not None:
            return None  # A dispatcher of the release before knows nothing of the shelf.
        if presence.until > now and presence.holder:
            if presence.ring != self._ring.message:
                return True
            # The same ring twice: its holder is awake, or has died just now. It must not be lost.
            self._doorbell.hide(presence.until - now)
            return False
        mine = presence.ring == self._ring.id
        if presence.until > now and not mine and presence.resting_until > now:
            return True  # Another ring is on its way.
        if mine and self._ring.due - now > 2 * ELSEWHERE:
            self._metrics.flush(self._item, self._item.counter(self._settings), self._host.reading())
            self._doorbell.ring(self._ring.id, self._ring.due, now)
            return True
        return None

    def _turn_if_due(self) -> bool:
        """Write the counter when there is a reason to; False when that was the last time."""
        now = self._host.reading().monotonic
        self._give_up_late()
        if now >= self._leave_at and not self._stopping:
            self._stopping = True
            self._give_up_hand()
        if now >= self._next_heartbeat:
            self._beat(now)
        elif not (
            any(report.verdict in SIGNALS for report in self._reports)
            or (not len(self._flights) and not self._hand and (self._reports or now >= self._next_turn))
            or (self._more and now >= self._next_turn and self._room() > 0)
            or self._beginnings_are_due(now)
            or (self._blocked and self._reports and self._room() > 0)
            or self._look(now)
        ):
            return True
        return self._turn()

    def _beat(self, now: int) -> None:
        """Keep the ring hidden, and see whether a deployment has changed the tiers."""
        self._next_heartbeat = now + HEARTBEAT
        self._doorbell.hide(LEASE)
        if not self._outdated and not self._doorbell.current():
            self._outdated = self._stopping = True
            self._give_up_hand()

    def _look(self, now: int) -> bool:
        """Look for pages that were filed while calls are running, and nothing else would lead to a write."""
        if self._more or now < self._next_look or self._room() <= 0 or not (len(self._flights) or self._hand):
            return False
        self._next_look = now + LOOK
        try:
            item = self._store.read()
        except AwsError:
            return False
        return item.filed != self._item.filed

    def _beginnings_are_due(self, now: int) -> bool:
        """Tell whether a write would free places early, since calls have begun that count when they arrive."""
        if not self._more or now < self._next_said or not self._by_arrival:
            return False
        self._next_said = now + TURN
        return bool(self._flights.unsaid())

    def _room(self) -> int:
        if self._stopping:
            return 0
        return self._hands.count(self._host.reading().monotonic) - len(self._flights) - len(self._hand)

    def _turn(self) -> bool:
        """Report, take and store. Return whether to go on."""
        plans: dict[str, Plan] = {}
        attempts = 0
        wake = new_id()
        while True:
            try:
                if not self._joined and self._item.presence.holder and self._arrive() is not None:
                    return False
                token = new_id()[:16]
                plan = self._plan(token, wake)
                plans[token] = plan
                if plan.leaving and plan.presence.ring == wake:
                    # The ring first: there is never a moment without one.
                    now = plan.frame.at.wall
                    self._doorbell.ring(wake, now + (plan.rest or 0), now)
                self._metrics.count("Writes")
                self._take_note(self._store.write(self._item, plan.counter, plan.presence, token, leaving=plan.leaving))
            except AwsError as error:
                # It may have been written: the state itself says so.
                attempts += 1
                if attempts > PATIENCE:
                    raise
                log("writing the counter failed", error=repr(error))
                self._host.sleep(min(1_000, 50 << min(attempts, 5)))
                self._reread()
            written = self._written(plans)
            if written is not None:
                return self._accept(written, self._memory)

    def _take_note(self, result: tuple[bool, Item]) -> None:
        self._item = result[1]

    def _reread(self) -> None:
        try:
            self._item = self._store.read()
        except AwsError as error:
            log("reading the counter failed", error=repr(error))

    def _written(self, plans: dict[str, Plan]) -> tuple[str, Plan] | None:
        """Find the attempt that came through: another may have written since, and keeps its token."""
        token = self._item.token
        if token not in plans and self._item.state is not None:
            token = self._item.counter(self._settings).writers.get(self._name, "")
        return (token, plans[token]) if token in plans else None

    def _plan(self, token: str, wake: str) -> Plan:
        counter = self._item.counter(self._settings)
        if not self._joined and not self._outdated:
            counter.adopt(self._settings.tiers)
        now = self._host.reading()
        mine = self._memory.frame if self._item.token and self._item.token == self._memory.token else None
        counter.advance(now, mine)
        begun = self._flights.say(counter)
        for report in self._reports:
            counter.report(report)
        counter.shelf.opened -= self._memory.deleted
        if self._memory.swept:
            counter.swept, self._memory.swept = counter.quota.clock, False
        for ref in self._refiled:
            counter.shelf.settle(ref)
        holder = self._item.presence.holder
        superseded = self._joined and holder != self._name
        if superseded:
            self._stopping = True
        room = 0 if self._stopping or self._former.hold_up(counter, now.monotonic) else self._room()
        self._library.read(counter, room, self._item.tails)
        taken = counter.take(self._name, room, AHEAD, self._item.tails, self._library.pages)
        names = {name.partition("/")[0] for name in counter.quota.grants}
        counter.writers = {name: last for name, last in counter.writers.items() if name in names}
        counter.writers[self._name] = token
        return replace(self._decide(counter, taken, wake, superseded=superseded), begun=begun)

    def _decide(self, counter: Counter, taken: Taken, wake: str, *, superseded: bool) -> Plan:
        frame, now = counter.quota.frame, counter.quota.frame.at
        awake = Presence(self._name, self._ring.message, now.wall + LEASE)
        idle = not len(self._flights) and not self._hand and not taken.calls
        if superseded:
            return Plan(counter, frame, taken, self._item.presence, leaving=idle, rest=HEARTBEAT)
        if not idle:
            return Plan(counter, frame, taken, awake, leaving=False, rest=self._until_turn(frame, taken))
        if self._stopping:
            rest = ELSEWHERE if self._outdated else 0
        elif counter.migrating:
            return Plan(counter, frame, taken, awake, leaving=False, rest=HEARTBEAT)
        else:
            event = counter.next_event(more=taken.more, next_start=taken.next_start)
            if event is None:
                counter.shelf.settled = self._item.filed
                return Plan(counter, frame, taken, Presence(), leaving=True, rest=None)
            rest = event - frame.clock
            if rest <= STAY:
                rest -= AHEAD if event == taken.next_start else 0
                return Plan(counter, frame, taken, awake, leaving=False, rest=max(FULL_TURN, rest))
        due = now.wall + rest
        start = now.wall + (taken.next_start or frame.clock) - frame.clock
        resting = due if self._stopping else min(due, start)
        return Plan(counter, frame, taken, Presence("", wake, due + GRACE, resting), leaving=True, rest=rest)

    def _until_turn(self, frame: Frame, taken: Taken) -> int:
        if taken.next_start is not None:
            return max(TURN, taken.next_start - frame.clock - AHEAD)
        busy = len(self._flights) + len(self._hand) + len(taken.calls)
        return FULL_TURN if 2 * busy <= self._hands.count(frame.at.monotonic) else TURN

    def _accept(self, written: tuple[str, Plan], memory: Memory) -> bool:
        """Go on from what was written."""
        token, plan = written
        memory.frame, memory.token = plan.frame, token
        self._joined = True
        self._reports.clear()
        self._flights.said(plan.begun)
        self._hand.extend(plan.taken.calls)
        self._more = plan.taken.more
        self._blocked = bool(plan.counter.shelf.parked)
        now = self._host.reading().monotonic
        self._next_turn = now + (plan.rest or 0)
        self._next_look = now + LOOK
        self._next_said = now + TURN
        self._refiled = set() if plan.leaving else self._library.refile(plan.counter)
        self._memory.deleted = self._library.tidy(plan.counter)
        if plan.leaving:
            self._library.sweep(plan.counter, self._memory)
        if now >= self._next_flush or plan.leaving:
            self._metrics.flush(self._item, plan.counter, self._host.reading())
            self._next_flush = now + FLUSH
        return not plan.leaving

    def _start(self) -> None:
        while self._hand:
            now = self._host.reading()
            if self._hand[0][0].frame.low(now) < self._hand[0][0].start:
                break
            if len(self._flights) >= self._hands.count(now.monotonic):
                break
            slot, held = self._hand.popleft()
            self._flights.add(slot, held)
            self._host.submit(lambda slot=slot, held=held: self._caller.call(slot, held))

    def _give_up_late(self) -> None:
        while self._hand and self._caller.late(self._hand[0][0]):
            self._not_started(*self._hand.popleft())

    def _give_up_hand(self) -> None:
        while self._hand:
            self._not_started(*self._hand.popleft())

    def _not_started(self, slot: Slot, held: Held) -> None:
        self._reports.append(Report(slot, held, slot.start, Verdict.NOT_STARTED))

    def _collect(self, milliseconds: int) -> None:
        """Take in what has ended, waiting for the first."""
        while (report := self._host.result(milliseconds)) is not None:
            milliseconds = 0
            report = self._flights.end(report)
            if report.verdict is Verdict.REFUSED:
                others = len(self._flights) + sum(other.verdict in MADE for other in self._reports)
                if self._hands.refused(others, self._host.reading().monotonic):
                    report = replace(report, verdict=Verdict.NOT_STARTED)
            self._reports.append(report)
            if report.verdict in (*MADE, *SIGNALS):
                self._metrics.count("Calls")
            if report.verdict is Verdict.FAILED:
                self._metrics.count("Failures")
            if report.verdict in SIGNALS:
                self._metrics.count("Signals")
                self._give_up_hand()

    def _pause(self) -> int:
        """Milliseconds until something is to be done."""
        now = self._host.reading()
        upcoming = [self._next_heartbeat - now.monotonic]
        if (self._more and self._room() > 0) or not (len(self._flights) or self._hand):
            upcoming.append(self._next_turn - now.monotonic)
            if self._more and self._by_arrival:
                upcoming.append(self._next_said - now.monotonic)
        elif self._room() > 0:
            upcoming.append(self._next_look - now.monotonic)
        if self._hand and len(self._flights) < self._hands.count(now.monotonic):
            slot = self._hand[0][0]
            upcoming.append(slot.start - slot.frame.low(now))
        return max(0, min(upcoming))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer the doorbell: its mapping hands over one ring at a time."""
    (record,) = event["Records"]
    dispatcher = Dispatcher(
        settings(),
        Ring.read(record),
        context.get_remaining_time_in_millis(),
        host=ThreadHost(settings().parallelism),
        clients=clients(),
        memory=memory(),
    )
    return {"batchItemFailures": [] if dispatcher.run() else [{"itemIdentifier": record["messageId"]}]}
