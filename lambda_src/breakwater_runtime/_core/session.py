"""What the core needs of a driver: an `Adapter` opens a `Session`, a session lends driver objects, one for each block.

The environment owns a socket. Each block gets a *handle*: a new object of the driver's own class around that socket,
dead when the block is over. The core (keeper.py) decides when to open, to reuse, to look, to give back and to repeat;
a session knows what its server was told and what it answered.

A block is these calls, in this order:

1. `begin(deadline, pause)`: False if the session is gone or claimed by a hunter; the core opens another then.
2. `lend()`: the handle. From here `outcome` and `raised()` speak of this block.
3. the handler's own statements, through the handle alone; each of their waits ends at the deadline.
4. `commit()` or `rollback()`: only what is left to do after the handler's last statement.
5. `take_back()`: without waiting, the session is cleaned and marked as idle on the server; the handle is dead. False if
   the session can't be used again.

The methods are coroutines for the sake of the drivers that have an event loop. A blocking driver's never suspend, so
that `now()` runs them to their end in one step: one core serves both halves.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, TypeVar

from breakwater_runtime._core.outcome import Outcome
from breakwater_runtime.errors import TransactionAborted

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from breakwater_runtime._core.trouble import Trouble
    from breakwater_runtime.credentials import Login
    from breakwater_runtime.deadline import Deadline
    from breakwater_runtime.environment import Settings

    Result = TypeVar("Result")

# an error's causes may lead back to it
_LONGEST_CHAIN = 20


def too_late(outcome: Outcome) -> TransactionAborted:
    """Return what to raise where COMMIT is not sent any more, by what became of what the block had sent before."""
    said = "COMMIT was not sent, since the invocation's time is over: "
    if outcome is Outcome.OPEN:
        return TransactionAborted(said + "the block's transaction is rolled back, and nothing of it is applied.")
    applied = "had applied" if outcome is Outcome.APPLIED else "may have applied"
    return TransactionAborted(
        f"{said}what came behind the block's last COMMIT is rolled back. What the block {applied} by then stays: what "
        "a COMMIT, a procedure or DDL has committed, and writes to tables without transactions."
    )


def now(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine that never suspends."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    coroutine.close()
    raise RuntimeError("a blocking driver has suspended")


async def settled(value: Any) -> Any:
    """Return what a driver's method returns, also where the method is a coroutine function."""
    return await value if isinstance(value, Awaitable) else value


class Waker:
    """Waits for its `set`, as a thread does."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.set = self._event.set

    async def wait(self, seconds: float) -> bool:
        """Wait at most so long; tell whether it was set."""
        return self._event.wait(max(0.0, seconds))


class Adapter(ABC):
    """One database through one driver.

    Parameters
    ----------
    settings
        The downstream's settings.
    autocommit
        Whether each statement is a transaction of its own.
    options
        More keyword arguments for the driver's own connect: joined, kept over resets, or refused.
    """

    def __init__(self, settings: Settings, *, autocommit: bool, options: dict[str, Any]) -> None:
        self.settings = settings
        self.autocommit = autocommit
        self.options = options

    @abstractmethod
    async def open(self, login: Login, deadline: Deadline) -> Session:
        """Open a session; raise the driver's own error. The core calls `begin` next.

        Every wait ends at the deadline: that of one attempt, not the block's.
        """

    @abstractmethod
    def trouble(self, error: BaseException) -> Trouble:
        """Tell what an error means, of `open` or of a statement."""

    def loop(self) -> object | None:
        """Return the running event loop that a session would belong to."""
        return None

    async def sleep(self, seconds: float) -> None:
        """Sleep, as this half of the driver does."""
        time.sleep(seconds)

    def waker(self) -> Waker:
        """Make what waits for somebody else's block to end."""
        return Waker()


class Session(ABC):
    """A session on the server: a socket, and what both ends know of each other.

    Attributes
    ----------
    outcome
        What became of what the block has sent; `lend` sets it to OPEN.
    lost_write
        The statement that writes, and whose answer will never come.
    """

    outcome = Outcome.OPEN
    lost_write: bytes | None = None

    @property
    @abstractmethod
    def could_lose(self) -> bool:
        """Whether a transaction may be open in which something may have been written."""

    @abstractmethod
    async def begin(self, deadline: Deadline, pause: float) -> bool:
        """Make ready for a block that ends at the deadline, `pause` seconds after the last one.

        Reads the answers that nobody waited for, looks at the socket, and asks the server only after
        `liveness.CHECK_AFTER_SECONDS`. Errors that mean a dead session are False.
        """

    @abstractmethod
    def lend(self, closed: Callable[[], None] | None = None) -> Any:
        """Make the block's handle.

        Parameters
        ----------
        closed
            Called by the handle's `close()` (an SQLAlchemy pool gives back in this way). None: `close()` within the
            block ends the session, quietly, twice too.
        """

    @abstractmethod
    async def commit(self) -> None:
        """Commit what is open. On failure `outcome` tells what became of it.

        Raises
        ------
        TransactionAborted
            The server has rolled the transaction back, though no error left the block; or the time is over, so that
            nobody would wait for COMMIT's answer, and the block may have written something since its last one.
        """

    @abstractmethod
    async def rollback(self) -> None:
        """Roll back what is open, without waiting for the answer."""

    async def roll_back_unsent(self) -> None:
        """Roll back in place of a COMMIT for whose answer nobody would wait; raise where that loses something."""
        could_lose = self.could_lose
        await self.rollback()
        if could_lose:
            raise too_late(self.outcome)

    @abstractmethod
    def take_back(self) -> bool:
        """Make the handle dead; clean the session and mark it as idle, without waiting. False: `shut` it."""

    @abstractmethod
    def errors(self) -> Iterable[BaseException | None]:
        """Return the last errors of this block's handle."""

    def raised(self, error: BaseException) -> BaseException | None:
        """Return the error of this block's handle that an error is, or was raised from; None: it is another's."""
        link: BaseException | None = error
        for _ in range(_LONGEST_CHAIN):
            if link is None or any(link is own for own in self.errors()):
                return link
            link = link.__cause__ or link.__context__
        return None

    @abstractmethod
    async def usage(self) -> tuple[int, int]:
        """Count everybody's connections, and return the server's limit with them. Called after `begin`."""

    @abstractmethod
    async def hunt(self, idle_seconds: int) -> int:
        """End the own user's sessions that their own blocks marked as idle so long ago; return how many."""

    @abstractmethod
    def shut(self) -> None:
        """Close the socket, whatever state it is in, without waiting. May be called twice."""

    async def writes_at_once(self, text: bytes) -> bool:  # noqa: ARG002 -- MySQL's alone
        """Tell whether a statement may write to a table without transactions, which nothing rolls back."""
        return False
