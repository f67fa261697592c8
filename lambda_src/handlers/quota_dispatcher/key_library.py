"""What a dispatcher reads and writes of keys: their volumes and their pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .aws_errors import AwsError
from .key_plans import Plans
from .log import log
from .pages import page_name
from .volumes import Volumes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Set

    from .blobs import Blobs
    from .clocks import Reading
    from .key_plans import Limits
    from .keyed_counter import KeyedCounter
    from .page_reader import PageReader
    from .pages import Page
    from .volumes import Volume


class KeyLibrary:
    """The table, as a `KeyedCounter` needs it.

    Parameters
    ----------
    blobs, pages
        Of the table.
    now
        Reads both clocks.
    """

    def __init__(self, blobs: Blobs, pages: PageReader, now: Callable[[], Reading]) -> None:
        self._blobs = blobs
        self._volumes = Volumes(blobs)
        self._plans = Plans(blobs, now)
        self._pages = pages
        self._written: set[str] = set()

    def volumes(self, names: Iterable[str]) -> dict[str, Volume]:
        """Read volumes by name."""
        return self._volumes.read(names)

    def limits(self, number: int, next_ones: Iterable[int], tiers: Set[str]) -> Limits:
        """Read what the plan of a key says of these tiers, and those of the next ones, or remember it for a while."""
        return self._plans.limits(number, next_ones, tiers)

    def page(self, key: tuple[int, int]) -> Page | None:
        """Read a page, or remember it."""
        return self._pages.page(key)

    def write_down(self, counter: KeyedCounter) -> None:
        """Lay down what the next write of the counter will name."""
        counter.index.write_down(counter.quota.wall)
        self._written |= counter.index.written.keys()
        self._blobs.put(counter.draft.pages)
        self._volumes.write(counter.index.written)

    def tidy(self, counter: KeyedCounter) -> None:
        """Delete what nobody needs after that write: what it has replaced, and what other attempts have laid down."""
        named = counter.index.names()
        self._volumes.keep(named)
        idle = (self._written | counter.index.replaced) - named
        try:
            self._blobs.delete([*idle, *(page_name(key) for key in counter.draft.finished)])
        except AwsError as error:
            log("deleting what keys no longer need failed", error=repr(error))
        self._written = set()
