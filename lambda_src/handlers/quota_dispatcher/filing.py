"""Lays messages on the shelf of a counter, and rings for its dispatcher when nobody is awake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .pages import Pages
from .ring import new_id, send_ring
from .store import Item, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .settings import Settings


def file(
    sqs: Any,
    dynamodb: Any,
    settings: Settings,
    lanes: Mapping[int, Sequence[dict[str, Any]]],
    clock: Callable[[], int],
    *,
    failed: Sequence[int] = (),
) -> Item:
    """File messages.

    Parameters
    ----------
    sqs, dynamodb
        Clients.
    settings
        Of the counter.
    lanes
        What comes into each of its lanes.
    clock
        Unix ms.
    failed
        As for `Pages.put`.

    Returns
    -------
    Item
        The counter's item.
    """
    store = Store(dynamodb, settings.table, settings.number, settings.counters)
    item = store.number_pages({lane: len(members) for lane, members in lanes.items()})
    pages = Pages(dynamodb, settings.table)
    for lane, members in lanes.items():
        pages.put((lane, item.tails[lane]), members, failed)
    now = clock()
    if not watched(item, now):
        send_ring(sqs, settings.doorbell, new_id(), 0, now, counter=settings.number)
    return item


def watched(item: Item, now: int) -> bool:
    """Tell whether somebody will look at what was filed, without another ring, as soon as it may be called."""
    presence = item.presence
    return presence.until > now and (presence.holder != "" or presence.resting_until > now)
