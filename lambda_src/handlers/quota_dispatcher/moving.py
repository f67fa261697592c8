"""Takes what waits at a counter that grants nothing to one that does.

A counter's part of a limit is less than one call when a deployment, or the provider, has lowered the limit below the
number of counters.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .counters import LANES, granting
from .filing import file

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .counter import Counter
    from .held import Held, Ref
    from .host import Host
    from .library import Library
    from .process import Clients
    from .settings import Settings

AT_ONCE = 100
"""Messages that are moved with one write."""


class Moving:
    """What a dispatcher moves.

    Parameters
    ----------
    settings, host, clients, library
        Of the dispatcher.
    """

    def __init__(self, settings: Settings, host: Host, clients: Clients, library: Library) -> None:
        self._settings = settings
        self._host = host
        self._clients = clients
        self._library = library
        self._filed: set[Ref] = set()

    def move(self, counter: Counter, tails: Mapping[int, int]) -> None:
        """File messages elsewhere, and take them off this shelf with the next write; once, if that is repeated."""
        self._library.read(counter, AT_ONCE, tails)
        picks = counter.shelf.pick(AT_ONCE, counter.quota.clock, tails, self._library.pages, counter.groups())
        lanes: dict[int, list[Held]] = {}
        for held in picks:
            if held.ref not in self._filed:
                lanes.setdefault(held.ref.lane, []).append(held)
        for lane, members in lanes.items():
            self._file(lane, members)
        counter.shelf.settled += len(picks)

    def _file(self, lane: int, members: list[Held]) -> None:
        settings, clients = self._settings, self._clients
        # The last one has a part of whatever the provider grants.
        others = [settings.counters - 1] if settings.grants else granting(settings.undivided, settings.counters)
        other = replace(settings, number=others[members[0].ref.page % len(others)])
        lane += LANES * (other.number - settings.number)
        for portion, records in self._library.portions(members):
            failed = [held.failures for held in portion]
            file(clients.sqs, clients.dynamodb, other, {lane: records}, self._wall, failed=failed)
            self._filed |= {held.ref for held in portion}

    def _wall(self) -> int:
        return self._host.reading().wall
