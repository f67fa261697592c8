"""Which volumes hold the counters of the keys, and what of them was read and changed for one write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from .volumes import Entry, new_name, volume_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .key_counter import KeyCounter, Weigh
    from .volumes import Volume


class VolumeFiles(Protocol):
    """Where volumes are read."""

    def volumes(self, names: Iterable[str]) -> dict[str, Volume]:
        """Read volumes by name."""
        ...


class KeyIndex:
    """The keys of a quota by number.

    Attributes
    ----------
    named
        By volume: its name, and when the first of its keys may have something to do.
    written, replaced
        The volumes that have to be in the table before the counter may be written, and the names of those that nobody
        needs afterwards.
    """

    def __init__(self) -> None:
        self.named: dict[int, tuple[str, int | None]] = {}
        self.written: dict[str, Volume] = {}
        self.replaced: set[str] = set()
        self._files: VolumeFiles | None = None
        self._volumes: dict[int, Volume] = {}
        self._changed: set[int] = set()
        self._keys: dict[int, KeyCounter] = {}
        self._dirty: set[int] = set()

    def lend(self, files: VolumeFiles) -> None:
        """Let it read what it needs."""
        self._files = files

    def load(self, volumes: Iterable[int]) -> None:
        """Read volumes with one request."""
        assert self._files is not None, "it has volumes to read"  # noqa: S101
        wanted = {self.named[volume][0]: volume for volume in volumes if volume in self.named}
        wanted = {name: volume for name, volume in wanted.items() if volume not in self._volumes}
        for name, entries in self._files.volumes(wanted).items() if wanted else ():
            self._volumes[wanted[name]] = entries

    def key(self, number: int, make: Callable[[Entry | None], tuple[KeyCounter, bool]]) -> KeyCounter:
        """Return a key; `make` makes it of what is known, and tells whether it has changed by that."""
        if number not in self._keys:
            volume = volume_of(number)
            self.load([volume])
            self._keys[number], changed = make(self._volumes.get(volume, {}).get(number))
            if changed:
                self._dirty.add(number)
        return self._keys[number]

    def touch(self, number: int) -> None:
        """Take note that a key has changed."""
        self._dirty.add(number)

    def due(self, until: int) -> Iterator[tuple[int, Entry]]:
        """Return the keys for which there may be something to do by then."""
        due = [volume for volume, (_, ready) in self.named.items() if ready is not None and ready <= until]
        self.load(due)
        for volume in due:
            for number, entry in self._volumes[volume].items():
                if entry.ready is not None and entry.ready <= until:
                    yield number, entry

    def ready(self) -> int | None:
        """When there may be something to do for the first of them."""
        return min((ready for _, ready in self.named.values() if ready is not None), default=None)

    def seal(self, clock: int, weigh: Weigh) -> None:
        """Bring the volumes up to date with the keys that were looked at, and forget those that are over."""
        for number, key in self._keys.items():
            volume = volume_of(number)
            entries = self._volumes.setdefault(volume, {})
            if number in self._dirty:
                if volume not in self._changed:
                    self._changed.add(volume)
                    entries = {
                        other: entry
                        for other, entry in entries.items()
                        if entry.forget is None or entry.forget > clock or other in self._keys
                    }
                    self._volumes[volume] = entries
                entry = Entry(key.ready(weigh), key.served, key.forget_at(), key.dump())
                if entry.forget is not None and entry.forget <= clock:
                    entries.pop(number, None)
                else:
                    entries[number] = entry
            elif number in entries:
                # Found out by looking closer at what stands there: it is as true for whoever reads the same.
                entries[number] = entries[number]._replace(ready=key.ready(weigh))
            if volume in self.named:
                self.named[volume] = (self.named[volume][0], _first_ready(entries))
            elif entries:
                self.named[volume] = ("", _first_ready(entries))

    def write_down(self, wall: int) -> None:
        """Name the volumes that have changed (Unix ms)."""
        for volume in self._changed:
            entries = self._volumes[volume]
            before = self.named.pop(volume, None)
            if before and before[0]:
                self.replaced.add(before[0])
            if entries:
                name = new_name(volume, wall)
                self.written[name] = entries
                self.named[volume] = (name, _first_ready(entries))
        self._changed = set()

    def names(self) -> set[str]:
        """Return the volumes that it names."""
        return {name for name, _ in self.named.values()}


def _first_ready(entries: Volume) -> int | None:
    return min((entry.ready for entry in entries.values() if entry.ready is not None), default=None)
