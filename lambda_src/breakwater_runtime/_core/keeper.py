"""The environment's one connection to a database: opened when first needed, healed, aged, given back."""

from __future__ import annotations

import os
from functools import cache
from time import monotonic, time
from typing import TYPE_CHECKING, Any

from breakwater_runtime import snapstart
from breakwater_runtime._core.outcome import Outcome
from breakwater_runtime._core.server_pressure import ServerPressure
from breakwater_runtime._core.slot import SLOTS, slot_for
from breakwater_runtime._core.trouble import Trouble
from breakwater_runtime.credentials import Credentials
from breakwater_runtime.deadline import MARGIN_SECONDS
from breakwater_runtime.environment import host_and_port
from breakwater_runtime.errors import BreakwaterError, ConnectionUnavailable, OutcomeUnknown
from breakwater_runtime.metrics import Counters
from breakwater_runtime.retry import Attempts, jitter

if TYPE_CHECKING:
    from collections.abc import Callable

    from breakwater_runtime._core.lease import Lease
    from breakwater_runtime._core.session import Adapter, Session
    from breakwater_runtime._core.slot import Slot
    from breakwater_runtime.deadline import Deadline
    from breakwater_runtime.environment import Settings

# One attempt to connect: a server that accepts and says nothing must not use up an invocation
CONNECT_SECONDS = 5.0
# A name that leads elsewhere (failover, blue/green) is noticed by those who connect: so each connection ends some time.
# Drawn for each, so that environments that began together don't end theirs together.
AGE_SECONDS = (300.0, 600.0)
# With less than this left, nobody looks at the server
LOOK_NEEDS_SECONDS = 2.5
# A thread that ends within its block wakes nobody
LOOK_FOR_TURN_SECONDS = 0.5


class Keeper:
    """What one environment knows of its connection to one database."""

    def __init__(self, adapter: Adapter, slot: Slot, counters: Counters) -> None:
        self.adapter = adapter
        self.settings = adapter.settings
        self.slot = slot
        self.counters = counters
        self.session: Session | None = None
        self._credentials = Credentials(adapter.settings)
        self._pressure = ServerPressure(adapter.settings, counters)
        self._loop: object | None = None
        self._used_at = (0.0, 0.0)
        self._ends_at = 0.0
        self._close_at_end = False
        self._abandoned: list[Session | None] = []
        slot.keepers.add(self)

    @property
    def target(self) -> str:
        """What messages call the database."""
        settings = self.settings
        port = settings.port or "default port"
        return f"{settings.engine} at {host_and_port(settings.host, port) if settings.host else settings.secret_arn}"

    async def begin(self, lease: Lease[Any], closed: Callable[[], None] | None = None) -> Any:
        """Take the turn, see to a living session, and lend its handle."""
        lease.ask()
        try:
            if lease.deadline.remaining() <= 0:
                raise ConnectionUnavailable(
                    f"{self.target}: not asked, since less than {MARGIN_SECONDS} s of the invocation are left", 0
                )
            if not self.slot.take(lease):
                self.counters.waits += 1
                await self._wait_for_turn(lease)
            if self.slot.holder is not self:
                self._take_over()
            try:
                session = await self._living(lease.deadline) or await self._open(lease.deadline)
                lease.session = session
                handle = session.lend(closed)
                lease.handle = None if closed else handle
            except BaseException:
                self._credentials.in_vain()
                self.drop()
                self.slot.leave(lease)
                raise
            else:
                return handle
        except Exception as error:
            # a block within a block is the caller's fault
            if type(error) is not BreakwaterError:
                self.counters.unavailable += 1
                self.counters.flush(lease.context)
            raise

    async def end(self, lease: Lease[Any], error: BaseException | None) -> None:
        """Commit or roll back, and take the handle back."""
        session, handle = lease.session, lease.handle
        lease.handle = None
        if session is None or self.slot.user is not lease:
            if error is None:
                raise BreakwaterError(
                    "This block was given up, since another invocation has begun; nothing is committed."
                )
            return
        failure = error
        try:
            if error is None:
                await session.commit()
            else:
                await session.rollback()
        except BaseException as raised:
            failure = error or raised
        finally:
            self._finish(session)
            del handle
            self.slot.leave(lease)
            self.counters.flush(lease.context)
        if failure is None:
            return
        if unknown := self.unknown(session, failure):
            raise unknown from failure
        if error is None:
            raise failure

    def drop(self) -> None:
        """Close the session, if there is one; the next block opens another."""
        session, self.session = self.session, None
        if session is not None:
            session.shut()

    def close(self) -> None:
        """Close the session now, or at the end of the block that uses it."""
        user = self.slot.user
        if user is not None and user.keeper is self and not user.is_over():
            self._close_at_end = True
        else:
            self.drop()

    def forget(self) -> None:
        """In a forked child: leave the parent's session to the parent."""
        self._abandoned.append(self.session)
        self.session = None
        self.slot.forget()

    def failure(self, session: Session, error: BaseException) -> Trouble | None:
        """Tell what the error of a block means; None: it is not this connection's."""
        cause = session.raised(error)
        return None if cause is None else self.adapter.trouble(cause)

    def unknown(self, session: Session, error: BaseException) -> OutcomeUnknown | None:
        """Return what to say instead of an error that leaves it open whether something was applied."""
        if session.outcome is not Outcome.UNKNOWN or not isinstance(error, Exception):
            return None
        if self.failure(session, error) not in (Trouble.LOST, Trouble.PASSING):
            return None
        return OutcomeUnknown(
            f"{self.target}: the connection was lost before the answer came, so it is unknown whether the block's "
            f"last statement was applied; nothing is repeated: {error}"
        )

    def _finish(self, session: Session) -> None:
        # before the session is marked as idle: the environment may be frozen right behind it
        used_at = (monotonic(), time())
        aged = used_at[0] > self._ends_at
        if self._pressure.full:
            self.counters.closes += 1
        if self._pressure.full or self._close_at_end or aged or not session.take_back():
            self._close_at_end = False
            self.drop()
        self._used_at = used_at

    def _take_over(self) -> None:
        if self.slot.holder is not None:
            self.slot.holder.drop()
        self.slot.holder = self

    async def _wait_for_turn(self, lease: Lease[Any]) -> None:
        while True:
            woken = self.adapter.waker()
            if self.slot.take(lease, woken.set):
                return
            while not await woken.wait(min(LOOK_FOR_TURN_SECONDS, lease.deadline.remaining())):
                if lease.deadline.remaining() <= 0:
                    raise ConnectionUnavailable(
                        f"{self.target}: others in this environment kept its one connection until the invocation's "
                        "time was over",
                        0,
                    )
                if self.slot.take(lease):
                    return

    async def _living(self, deadline: Deadline) -> Session | None:
        session = self.session
        if session is None:
            return None
        # whichever clock ran on while the environment was frozen
        pause = max(monotonic() - self._used_at[0], time() - self._used_at[1])
        if (
            self._loop is self.adapter.loop()
            and await session.begin(deadline, pause)
            and (not self._pressure.is_due() or await self._look(session, deadline))
        ):
            self.counters.reuses += 1
            return session
        self.counters.heals += 1
        self.drop()
        return None

    async def _open(self, deadline: Deadline) -> Session:
        while True:
            session = self.session = await self._connect(deadline)
            self._loop = self.adapter.loop()
            self._ends_at = monotonic() + jitter(*AGE_SECONDS)
            # the look is before the first statement: others may be waiting for the room that it makes
            if await session.begin(deadline, 0.0) and await self._look(session, deadline):
                return session
            self.drop()
            if deadline.remaining() <= 0:
                raise ConnectionUnavailable(f"{self.target}: each connection was lost at once until the deadline", 1)

    async def _connect(self, deadline: Deadline) -> Session:
        adapter = self.adapter
        attempts = Attempts(self.target, deadline)
        credentials = self._credentials
        while True:
            try:
                login = credentials.login(deadline)
            except ConnectionUnavailable as error:
                if attempts.count and not error.attempts:
                    # what took the time says more than that there was none left to ask for the secret
                    raise attempts.over() from error
                raise
            attempts.target = f"{self.settings.engine} at {host_and_port(login.host, login.port)}"  # the secret may say
            try:
                session = await adapter.open(login, deadline.within(CONNECT_SECONDS))
            except Exception as error:
                trouble = adapter.trouble(error)
                if trouble is Trouble.LOGIN and (pause := credentials.pause_after_refusal(deadline)) is not None:
                    await adapter.sleep(pause)
                    continue
                if trouble in (Trouble.LASTING, Trouble.LOGIN):
                    raise credentials.refusal(error)  # noqa: B904 -- mostly the driver's own
                if trouble is Trouble.FULL:
                    self._pressure.refused()
                else:
                    credentials.unreachable()
                self.counters.waits += 1
                await adapter.sleep(attempts.pause_after(error))
            else:
                credentials.accepted()
                self.counters.connects += 1
                return session

    async def _look(self, session: Session, deadline: Deadline) -> bool:
        """Look how full the server is, if it is time; False if that found the session dead."""
        if not self._pressure.is_due() or deadline.remaining() < LOOK_NEEDS_SECONDS:
            return True
        try:
            await self._pressure.look(session)
        except Exception as error:  # noqa: BLE001, RUF100 -- a courtesy: what matters is whether the session still works
            return self.adapter.trouble(error) is Trouble.LASTING
        return True


def keeper_for(kind: type[Adapter], settings: Settings, *, autocommit: bool, options: dict[str, Any]) -> Keeper:
    """Return the keeper of one way to connect: the same one, however often it is asked for."""
    slot = slot_for(settings)
    for known in slot.keepers:
        adapter = known.adapter
        if (
            type(adapter) is kind
            and vars(adapter.settings) == vars(settings)
            and adapter.autocommit == autocommit
            and adapter.options == options
        ):
            return known
    _register_with_snapstart()
    metrics = os.environ.get("BREAKWATER_METRICS", "").lower()
    counters = Counters(settings.name or settings.engine, on=False if metrics == "off" else None)
    return Keeper(kind(settings, autocommit=autocommit, options=options), slot, counters)


@cache
def _register_with_snapstart() -> None:
    # after it: what was opened meanwhile
    snapstart.register(close_all, close_all)


def close_all() -> None:
    """Close whatever is open, as before a snapshot."""
    for slot in SLOTS.values():
        if slot.holder is not None:
            slot.holder.close()


def _forget_all() -> None:
    for slot in SLOTS.values():
        if slot.holder is not None:
            slot.holder.forget()


os.register_at_fork(after_in_child=_forget_all)
