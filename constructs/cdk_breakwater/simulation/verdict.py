"""Which limits a burst ran into, the first of them first, and what that did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .entries import Api, Direct, Fifo, Queue, Stream
from .quota import Quota

if TYPE_CHECKING:
    from .application import Application, Server
    from .entries import Entry
    from .history import EntryHistory, History, ServerHistory

_UNEVEN = 1.1  # less is chance


@dataclass(frozen=True)
class Binding:
    """A limit that held something up.

    Attributes
    ----------
    at
        When it first did, in seconds.
    resource
        Whose limit it is.
    limit
        Which.
    effect
        What it did.
    harmful
        Whether a database refused somebody, or work was lost.
    """

    at: float
    resource: str
    limit: str
    effect: str
    harmful: bool = False


def bindings(application: Application, history: History) -> list[Binding]:
    """Give the limits that bound, in the order in which they did."""
    found: list[Binding] = []
    for entry in application.entries:
        if isinstance(entry, Queue):
            found += _of_queue(entry, history)
        elif isinstance(entry, Quota):
            found += _of_quota(entry, history)
        else:
            found += _of_requests(entry, history)
        found += _of_function(entry, application, history)
    for name, server in application.servers.items():
        of_server = history.servers[name]
        if server.is_proxy:
            found += _of_proxy(server, of_server)
        elif of_server.refused.first is not None:
            limit = f"{server.usable:g} connections for functions (max_connections {server.max_connections})"
            effect = f"it refuses {count(of_server.refused.total, 'connection')}"
            found.append(Binding(of_server.refused.first, name, limit, effect, harmful=True))
        if of_server.unavailable.first is not None:
            effect = count(of_server.unavailable.total, "attempt to connect fails", "attempts to connect fail")
            found.append(Binding(of_server.unavailable.first, name, "the failover", effect))
    for name, function in application.functions.items():
        late = history.functions[name].timeouts
        if late.first is not None:
            effect = count(late.total, "invocation ends unfinished", "invocations end unfinished")
            found.append(Binding(late.first, name, f"the timeout of {function.timeout:g} s", effect))
    if not found:
        # Nobody sets how fast pollers come up, so it is no answer where something else is one.
        found = [
            _ramp(entry, history) for entry in application.entries if history.entries[entry.name].ramped is not None
        ]
    return sorted(found, key=lambda binding: (binding.at, not binding.harmful))


def _of_proxy(server: Server, came: ServerHistory) -> list[Binding]:
    found = []
    limit = f"the pool of {server.usable:g} connections"
    if came.first_waited is not None:
        effect = f"up to {count(came.waiting.peak, 'invocation waits', 'invocations wait')} for one"
        found.append(Binding(came.first_waited, server.name, limit, effect))
    if came.refused.first is not None:
        longer = f"for longer than {server.borrow_timeout:g} s, and"
        effect = count(came.refused.total, f"invocation waits {longer} fails", f"invocations wait {longer} fail")
        found.append(Binding(came.refused.first, server.name, limit, effect, harmful=True))
    return found


def _of_queue(queue: Queue, history: History) -> list[Binding]:
    came = history.entries[queue.name]
    found: list[Binding] = []
    if isinstance(queue, Stream):
        found += _of_lanes(queue, came)
    elif came.held_back is not None:
        limit = f"MaximumConcurrency {queue.maximum_concurrency}" if queue.maximum_concurrency else "1,250 batches"
        found.append(Binding(came.held_back, queue.name, f"the {limit} of its mapping", _waiting(queue, history)))
    if isinstance(queue, Fifo):
        found += _of_groups(queue, came)
    if (expired := came.age.first_above(queue.retention)) is not None:
        effect = f"messages wait for up to {seconds_text(came.age.peak)}, and SQS deletes those that wait longer"
        limit = f"MessageRetentionPeriod {seconds_text(queue.retention)}"
        found.append(Binding(expired, queue.name, limit, effect, harmful=True))
    if came.lost.first is not None and isinstance(queue, Stream):
        effect = count(came.lost.total, "record is given up", "records are given up")
        limit = f"MaximumRetryAttempts {(queue.max_receive_count or 1) - 1}"
        found.append(Binding(came.lost.first, queue.name, limit, effect, harmful=True))
    elif came.lost.first is not None:
        effect = f"{count(came.lost.total, 'message ends', 'messages end')} in the dead-letter queue"
        limit = f"maxReceiveCount {queue.max_receive_count}"
        found.append(Binding(came.lost.first, queue.name, limit, effect, harmful=True))
    return found


def _of_lanes(stream: Stream, came: EntryHistory) -> list[Binding]:
    found = []
    if came.held_back is not None:
        limit = f"the {count(stream.most_batches, 'lane')} (shards times ParallelizationFactor) of its mapping"
        waiting = count(came.depth.peak, "record waits", "records wait")
        effect = f"up to {waiting}, for up to {seconds_text(came.age.peak)}"
        fullest, even = max(came.lanes) / sum(came.lanes), 1 / len(came.lanes)
        if fullest > _UNEVEN * even:
            idle = sum(not records for records in came.lanes)
            effect += f"; one lane gets {fullest:.0%} of all by their keys (an even part is {100 * even:.3g}%)"
            effect += f", and {count(idle, 'lane')} none" if idle else ""
        found.append(Binding(came.held_back, stream.name, limit, effect))
    if stream.is_tried_without_end and came.failed.first is not None:
        effect = "a record that fails is tried until it expires, and those behind it in its lane wait as long"
        limit = "no MaximumRetryAttempts"
        found.append(Binding(came.failed.first, stream.name, limit, effect, harmful=True))
    return found


def _of_groups(queue: Fifo, came: EntryHistory) -> list[Binding]:
    blocked = came.blocked.first_above(0.5)
    times = [at for at in (came.grouped, blocked) if at is not None]
    if not times:
        return []
    most = max(came.grouped_most, came.blocked.peak)
    effect = f"up to {count(most, 'message')} in line behind others of their message group"
    if blocked is not None:
        effect += f", up to {came.blocked.peak:,.0f} of them behind one that failed"
    return [Binding(min(times), queue.name, "one batch of a message group at a time", effect)]


def _of_quota(quota: Quota, history: History) -> list[Binding]:
    came = history.entries[quota.name]
    effect = _waiting(quota, history)
    if not quota.is_kept:
        effect = f"the provider answers {count(came.limited.total, 'call')} with a 429"
    tiers = {tier.name for tier in quota.tiers}
    held_back = {name: tier.held_back for name, tier in came.tiers.items() if tier.held_back is not None}
    # Where a tier binds, the dispatcher's own limits only do while none is full.
    own = "calls wait for it while no tier is full" if tiers & held_back.keys() else effect
    found = [Binding(at, quota.name, name, effect if name in tiers else own) for name, at in held_back.items()]
    if came.lost.first is not None:
        effect = f"{count(came.lost.total, 'message ends', 'messages end')} in the dead-letter queue"
        found.append(Binding(came.lost.first, quota.name, f"max_attempts {quota.max_attempts}", effect, harmful=True))
    return found


def _ramp(queue: Entry, history: History) -> Binding:
    limit = "the pollers' ramp-up (5 batches, 5 more a second)"
    return Binding(history.entries[queue.name].ramped or 0.0, queue.name, limit, _waiting(queue, history))


def _waiting(queue: Entry, history: History) -> str:
    came = history.entries[queue.name]
    return f"up to {count(came.depth.peak, 'message waits', 'messages wait')}, for up to {seconds_text(came.age.peak)}"


def _of_requests(entry: Api | Direct, history: History) -> list[Binding]:
    came = history.entries[entry.name]
    found: list[Binding] = []
    if isinstance(entry, Api) and came.limited.first is not None:
        bucket = min(entry.buckets, key=lambda each: (each.rate, each.burst))
        effect = f"{count(came.limited.total, 'request gets', 'requests get')} a 429"
        limit = f"rate {bucket.rate:g}/s and burst {bucket.burst:g}"
        found.append(Binding(came.limited.first, bucket.name, limit, effect))
    if came.lost.first is not None:
        effect = count(came.lost.total, "event is given up", "events are given up")
        found.append(Binding(came.lost.first, entry.name, "the retries of asynchronous events", effect, harmful=True))
    return found


def _of_function(entry: Entry, application: Application, history: History) -> list[Binding]:
    """Give the concurrency that was not enough for an entry, or the rate at which environments are made."""
    came = history.entries[entry.name]
    function, of_function = application.functions[entry.function], history.functions[entry.function]
    if came.throttled.first is None:
        return []
    of, total = entry.name, came.throttled.total
    if isinstance(entry, Stream):
        one = f"batch of {of} finds no room, and waits in its lane"
        effect = count(total, one, f"batches of {of} find no room, and wait in their lanes")
    elif isinstance(entry, Queue):
        one = f"batch of {of} finds no room, and uses up a receive"
        effect = count(total, one, f"batches of {of} find no room, and use up receives")
    elif isinstance(entry, Quota):
        one = f"call of {of} finds no room, and waits for one"
        effect = count(total, one, f"calls of {of} find no room, and wait for one")
    elif isinstance(entry, Direct) and not entry.waits:
        effect = count(total, "attempt waits and comes again", "attempts wait and come again")
    else:
        effect = count(total, f"request of {of} finds no room", f"requests of {of} find no room")
    if of_function.slowed.first is not None and of_function.slowed.first <= came.throttled.first:
        limit = "1,000 new environments every 10 s"
        return [Binding(came.throttled.first, function.name, limit, effect)]
    if function.reserved is None:
        limit = f"the {application.unreserved:,} that functions without a reservation share"
        return [Binding(came.throttled.first, "the account's concurrency", limit, effect)]
    return [Binding(came.throttled.first, function.name, f"reserved concurrency {function.reserved}", effect)]


def count(number: float, one: str, many: str = "") -> str:
    """Write how many there are of something."""
    return f"{number:,.0f} {one if round(number) == 1 else many or f'{one}s'}"


def seconds_text(seconds: float) -> str:
    """Write a time for people."""
    if seconds < 100:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 100:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 100:
        return f"{hours} h {minutes:02d} min"
    return f"{hours // 24} d {hours % 24:02d} h"
