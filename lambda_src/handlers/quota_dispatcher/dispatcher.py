"""Takes slots and messages in one write, and calls the user's function with one message per slot.

A ring starts a dispatcher. It stays as long as there is something to do soon, hides its ring from the queue meanwhile,
a few seconds at a time, and leaves in the same write that reports its last call. So when it dies, its ring comes back
by itself and starts the next one; and whoever files a message either finds somebody awake, or a ring on its way, or
rings.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .arrival import Arrival
from .aws_errors import AwsError
from .blobs import Blobs
from .caller import Caller
from .calls import Calls
from .doorbell import Doorbell
from .former_queues import FormerQueues
from .hands import Hands
from .heartbeat import Heartbeat
from .host import ThreadHost
from .key_library import KeyLibrary
from .keyed_counter import KeyedCounter
from .library import Library
from .log import log
from .metrics import Metrics
from .moving import Moving
from .page_reader import PageReader
from .pages import Pages
from .plan import AHEAD, FULL_TURN, Plan, Standing
from .process import clients, memory, settings
from .ring import Ring, new_id
from .store import Item, Store
from .turns import Turns

if TYPE_CHECKING:
    from .held import Ref
    from .host import Host
    from .process import Clients, Memory
    from .settings import Settings

FLUSH = 30_000
SPARE = 3_000
"""What is left of the invocation when the last call has ended."""
CALLS_OF_A_HAND = 3
"""With keys, so many slots per hand are taken ahead of their start: most calls end before the next write comes."""
PATIENCE = 20
"""So many times in a row the counter may fail to be written before the dispatcher gives up."""


def answer(settings: Settings, ring: Ring, remaining: int, *, host: Host, clients: Clients, memory: Memory) -> bool:
    """Answer a ring for a counter of a quota. False: the ring must stay in its queue.

    Parameters
    ----------
    settings
        Of the quota.
    ring
        What started it.
    remaining
        Milliseconds that the invocation may last.
    host, clients, memory
        The process, and what it remembers of this counter.
    """
    began = host.reading().monotonic
    item = Store(clients.dynamodb, settings.table, ring.counter).read()
    if ring.counter >= item.counters:
        return True  # Of a table that is gone.
    if item.counters > settings.counters == 1:
        log("two dispatchers take turns: use parallelism=101 or more, or another id", counters=item.counters)
    one = settings.divided(item.counters, ring.counter)
    remaining -= host.reading().monotonic - began
    return Dispatcher(one, ring, item, remaining, host=host, clients=clients, memory=memory).run()


class Dispatcher:
    """One invocation's work.

    Parameters
    ----------
    settings
        Of the counter.
    ring
        What started it.
    item
        Of the counter, as it was when the invocation began.
    remaining
        Milliseconds that the invocation may last.
    host, clients, memory
        The process.
    """

    def __init__(
        self,
        settings: Settings,
        ring: Ring,
        item: Item,
        remaining: int,
        *,
        host: Host,
        clients: Clients,
        memory: Memory,
    ) -> None:
        self._settings = settings
        self._ring = ring
        self._host = host
        self._clients = clients
        self._memory = memory
        memory.invocations += 1
        memory.hands = memory.hands or Hands(settings.parallelism)
        self._name = f"{memory.name}.{memory.invocations}"
        self._leave_at = host.reading().monotonic + remaining - SPARE - settings.longest_call
        self._doorbell = Doorbell(settings, clients.sqs, ring)
        self._former = FormerQueues(settings, clients.sqs)
        self._store = Store(clients.dynamodb, settings.table, settings.number, settings.counters)
        self._metrics = Metrics(settings)
        self._arrival = Arrival(settings, ring, host, self._doorbell, self._metrics)
        pages = Pages(clients.dynamodb, settings.table)
        blobs = Blobs(clients.dynamodb, settings.table, host.sleep)
        reader = PageReader(pages, host.sleep)
        self._keys = KeyLibrary(blobs, reader, host.reading)
        self._library = Library(host, pages, self._store, reader)
        self._moving = Moving(settings, host, clients, self._library)
        self._caller = Caller(settings, host, clients, self._library, self._metrics)
        self._calls = Calls(memory.hands, host, self._caller, self._metrics)
        self._turns = Turns(settings, host, self._store, self._calls)
        self._heartbeat = Heartbeat(host, self._doorbell)
        self._joined = False
        self._stopping = False
        self._superseded = False
        self._item = item
        self._refiled: set[Ref] = set()
        self._next_flush = host.reading().monotonic + FLUSH

    def run(self) -> bool:
        """Work until nothing is to be done soon, or time is up. False: the ring must stay in its queue."""
        verdict = self._arrival.verdict(self._item)
        if verdict is not None:
            return verdict
        try:
            while self._turn_if_due():
                self._calls.start()
                self._calls.collect(self._pause())
        finally:
            self._host.close()
        if self._superseded:
            return False  # Its lease was over, so its ring has come back, and another may be about to answer it.
        # Another that answers this same ring relies on it; so does the next, if this one is taken for awake.
        return (
            self._joined and self._item.presence.holder in ("", self._name)
        ) or self._item.presence.ring != self._ring.message

    def _turn_if_due(self) -> bool:
        """Write the counter when there is a reason to; False when that was the last time."""
        self._calls.give_up_late()
        if self._host.reading().monotonic >= self._leave_at and not self._stopping:
            self._stop()
        if self._beat_if_due() or self._turns.due(self._room(), self._item):
            return self._turn()
        return True

    def _beat_if_due(self) -> bool:
        before = self._heartbeat.outdated
        beats = self._heartbeat.beat_if_due(self._item.token, joined=self._joined, superseded=self._superseded)
        if self._heartbeat.outdated and not before:
            self._stop()
        return beats

    def _stop(self) -> None:
        """Take nothing more."""
        self._stopping = True
        self._calls.give_up()

    def _room(self) -> int:
        if self._stopping:
            return 0
        if self._settings.key:
            # Slots of many keys that start later don't take the hands of those that could start now.
            return self._calls.hands() - self._calls.needing_hands(FULL_TURN)
        return self._calls.hands() - self._calls.busy

    def _turn(self) -> bool:
        """Report, take and store. Return whether to go on."""
        plans: dict[str, Plan] = {}
        attempts = 0
        wake = new_id()
        while True:
            try:
                if not self._joined and self._item.presence.holder and self._arrival.verdict(self._item) is not None:
                    return False
                self._beat_if_due()
                token = new_id()[:16]
                plan = self._plan(token, wake)
                plans[token] = plan
                if plan.leaving and plan.presence.ring == wake:
                    # The ring first: there is never a moment without one.
                    now = plan.frame.at.wall
                    self._doorbell.ring(wake, now + (plan.rest or 0), now, over=self._item.token)
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
        adopts = not self._joined and not self._heartbeat.outdated
        if isinstance(counter, KeyedCounter):
            counter.lend(self._keys, CALLS_OF_A_HAND * self._calls.hands() - len(self._calls.hand))
            if adopts and self._settings.key:
                counter.adopt_keys(self._settings.key, self._settings.key_tiers, self._settings.key_parallelism)
        if adopts and not counter.timed_by:
            counter.adopt(self._settings.tiers)
        now = self._host.reading()
        timed_by = counter.timed_by or self._item.token
        mine = self._memory.frame if timed_by and timed_by == self._memory.token else None
        counter.timed_by = ""
        counter.advance(now, mine)
        if adopts:  # Calls have been made since the clock was set, of which a new tier knows nothing.
            counter.adopt(self._settings.tiers)
        begun = self._calls.flights.say(counter)
        for report in self._calls.reports:
            counter.report(report)
        counter.shelf.opened -= self._memory.deleted
        counter.swept = max(counter.swept, self._memory.swept)
        for ref in self._refiled:
            counter.shelf.settle(ref)
        holder = self._item.presence.holder
        superseded = self._joined and holder != self._name
        if superseded:
            self._superseded = self._stopping = True
        room = 0 if self._stopping or self._former.hold_up(counter, now.monotonic) else self._room()
        if counter.quota.closed:
            room = 0
            if not self._stopping:
                self._moving.move(counter, self._item.tails)
        self._library.read(counter, room, self._item.tails)
        taken = counter.take(self._name, room, AHEAD, self._item.tails, self._library.pages)
        names = {name.partition("/")[0] for name in counter.quota.grants}
        counter.writers = {name: last for name, last in counter.writers.items() if name in names}
        counter.writers[self._name] = token
        counter.seen = self._item.filed
        standing = Standing(
            self._name,
            self._ring.message,
            self._item.presence,
            self._item.filed,
            self._calls.busy,
            self._calls.hands(),
            superseded,
            self._stopping,
            self._heartbeat.outdated,
        )
        if isinstance(counter, KeyedCounter):
            self._keys.write_down(counter)
        return replace(standing.decide(counter, taken, wake), begun=begun, reported=len(self._calls.reports))

    def _accept(self, written: tuple[str, Plan], memory: Memory) -> bool:
        """Go on from what was written."""
        token, plan = written
        memory.frame, memory.token = plan.frame, token
        self._joined = True
        # Others may have come since: an earlier attempt to write was the one that succeeded.
        del self._calls.reports[: plan.reported]
        self._calls.flights.said(plan.begun)
        self._calls.hand.extend(plan.taken.calls)
        self._turns.written(plan, self._room())
        now = self._host.reading().monotonic
        self._refiled = set() if plan.leaving else self._library.refile(plan.counter)
        self._memory.deleted = self._library.tidy(plan.counter)
        if isinstance(plan.counter, KeyedCounter):
            self._keys.tidy(plan.counter)
        if plan.leaving:
            self._library.sweep(plan.counter, self._memory)
        if now >= self._next_flush or plan.leaving:
            self._metrics.flush(self._item, plan.counter, self._host.reading())
            self._next_flush = now + FLUSH
        return not plan.leaving

    def _pause(self) -> int:
        """Milliseconds until something is to be done."""
        upcoming = [self._heartbeat.until_next(), *self._turns.until_next(self._room())]
        start = self._calls.until_start()
        if start is not None:
            upcoming.append(start)
        return max(0, min(upcoming))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer the doorbell: its mapping hands over one ring at a time."""
    (record,) = event["Records"]
    ring = Ring.read(record)
    done = answer(
        settings(),
        ring,
        context.get_remaining_time_in_millis(),
        host=ThreadHost(settings().hands),
        clients=clients(),
        memory=memory(ring.counter),
    )
    return {"batchItemFailures": [] if done else [{"itemIdentifier": record["messageId"]}]}
