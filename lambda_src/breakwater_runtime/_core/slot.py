"""One connection per environment, whoever asks for it: whose turn it is."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Any

from breakwater_runtime.errors import BreakwaterError

if TYPE_CHECKING:
    from collections.abc import Callable

    from breakwater_runtime._core.keeper import Keeper
    from breakwater_runtime._core.lease import Lease
    from breakwater_runtime.environment import Settings

_NESTED = (
    "This invocation already uses the environment's one connection. Pass it on instead of asking again "
    "(connection(), async connections and engine() share it)."
)


class Slot:
    """The one connection that the budget grants an environment for one database.

    Attributes
    ----------
    holder
        Who keeps the open session.
    keepers
        Those who may, by how they connect: `database()` twice with the same arguments is one.
    """

    def __init__(self) -> None:
        self.holder: Keeper | None = None
        self.keepers: weakref.WeakSet[Keeper] = weakref.WeakSet()
        self.forget()

    def forget(self) -> None:
        """Begin anew, as in a forked child."""
        # a signal handler's block, or a generator's end at a garbage collection, may come while this thread holds it
        self._lock = threading.RLock()
        # weakly: a block that nobody can end any more (an exception came between taking the turn and the block, or an
        # SQLAlchemy pool lost what it had checked out) doesn't hold up the next one
        self._user: weakref.ref[Lease[Any]] | None = None
        self._waiting: list[Callable[[], None]] = []

    @property
    def user(self) -> Lease[Any] | None:
        """Whose turn it is."""
        return None if self._user is None else self._user()

    def take(self, lease: Lease[Any], wake: Callable[[], None] | None = None) -> bool:
        """Take the turn if nobody has it; else have `wake` called when it is worth another try.

        Raises
        ------
        BreakwaterError
            The turn is the caller's own already, so that waiting would never end.
        """
        with self._lock:
            if self._user is not None:
                user = self._user()
                if user is None or user.is_over(lease):
                    # its thread, task or invocation is gone: what it left in the session nobody knows
                    if self.holder is not None:
                        self.holder.drop()
                elif user.is_callers_own(lease):
                    raise BreakwaterError(_NESTED)
                else:
                    if wake:
                        self._waiting.append(wake)
                    return False
            self._user = weakref.ref(lease)
            return True

    def leave(self, lease: Lease[Any]) -> None:
        """Give the turn back, unless somebody had to take it over."""
        with self._lock:
            if self.user is not lease:
                return
            self._user = None
            waiting = list(self._waiting)
            self._waiting.clear()
        for wake in waiting:
            wake()


SLOTS: dict[tuple[object, ...], Slot] = {}


def slot_for(settings: Settings) -> Slot:
    """Return the slot of one login to one database."""
    key = (settings.engine, settings.host, settings.port, settings.database, settings.user, settings.secret_arn)
    return SLOTS.setdefault(key, Slot())
