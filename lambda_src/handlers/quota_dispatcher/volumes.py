"""Where the counters of keys lie: in volumes, each of which is written once and never changed.

A volume holds the keys whose numbers end alike. Whoever changes a key writes its volume anew, under another name, and
the one conditional write of the counter says which volumes are true from then on. So whatever a volume says changes at
the same instant as everything else, and a request that arrives late changes nothing.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from .compact_json import dumps
from .ring import new_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .blobs import Blobs

VOLUMES = 64
_PREFIX = "keys"


class VolumeGoneError(OSError):
    """A volume is not there: another has written the counter since it was read."""


class Entry(NamedTuple):
    """A key in its volume; instants by the quota's clock."""

    ready: int | None
    """When there may be something to do for it; None when nothing waits."""
    served: int
    """When a call was taken for it last."""
    forget: int | None
    """When nothing is left that is to be remembered; None while something waits."""
    text: str
    """What `KeyCounter.dump` wrote."""


Volume = dict[int, Entry]
"""Keys by number."""


class Volumes:
    """Reads and writes them, and remembers what it has seen.

    Parameters
    ----------
    blobs
        Of the table.
    """

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._known: dict[str, Volume] = {}

    def read(self, names: Iterable[str]) -> dict[str, Volume]:
        """Return volumes by name.

        Raises
        ------
        VolumeGoneError
            When one is not there.
        """
        wanted = set(names)
        missing = wanted - self._known.keys()
        found = self._blobs.get(missing) if missing else {}
        for name in missing:
            if name not in found:
                raise VolumeGoneError(f"{name} is gone")
            entries = json.loads(found[name])
            self._known[name] = {int(number): Entry(*entry) for number, entry in entries.items()}
        return {name: self._known[name] for name in wanted}

    def write(self, volumes: Mapping[str, Volume]) -> None:
        """Write new ones."""
        self._blobs.put({name: dumps(volume) for name, volume in volumes.items()})
        self._known.update(volumes)

    def keep(self, names: Iterable[str]) -> None:
        """Remember these, and no others."""
        wanted = set(names)
        self._known = {name: volume for name, volume in self._known.items() if name in wanted}


def volume_of(number: int) -> int:
    """Return which volume holds a key."""
    return number % VOLUMES


def new_name(volume: int, wall: int) -> str:
    """Name a volume that is about to be written (Unix ms): the name says when, for who looks for what nobody needs."""
    return f"{_PREFIX}/{volume}/{wall // 1_000:x}-{new_id()[:12]}"


def written_at(name: str) -> int | None:
    """Return when a volume was written by its name (Unix ms); None for what is none."""
    kind, _, rest = name.partition("/")
    return 1_000 * int(rest.partition("/")[2].partition("-")[0], 16) if kind == _PREFIX else None
