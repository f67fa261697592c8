"""A session on MySQL or MariaDB: how a block begins and ends there, whichever of the two drivers speaks."""

from __future__ import annotations

import weakref
from abc import abstractmethod
from time import monotonic
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pymysql.constants import COMMAND, CR
from pymysql.err import Error, OperationalError

from breakwater_runtime._core.liveness import CHECK_AFTER_SECONDS, CHECK_TIMEOUT_SECONDS
from breakwater_runtime._core.outcome import Outcome
from breakwater_runtime._core.session import Session, settled, too_late
from breakwater_runtime._core.trouble import Trouble
from breakwater_runtime._mysql import marks
from breakwater_runtime._mysql.errors import code_of, trouble_of
from breakwater_runtime._mysql.exchange import ABORTED, Exchange
from breakwater_runtime._mysql.handle import Lent
from breakwater_runtime._mysql.limits import Limits
from breakwater_runtime._mysql.options import OF_THE_CERTIFICATE, Told
from breakwater_runtime.errors import OutcomeUnknown, TransactionAborted
from breakwater_runtime.tls import show_certificate, ssl_context

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from breakwater_runtime._core.session import Adapter
    from breakwater_runtime.credentials import Login
    from breakwater_runtime.deadline import Deadline

Handle = TypeVar("Handle", bound=Lent)

COM_RESET_CONNECTION = 0x1F
CLIENT_SESSION_TRACK = 1 << 23
_UNKNOWN_SYSTEM_VARIABLE = 1193
# Their writes stay, whatever becomes of the transaction: MyISAM, Aria, MEMORY
_WITHOUT_TRANSACTIONS = (
    b"SELECT table_name FROM information_schema.tables JOIN information_schema.engines USING (engine) "
    b"WHERE table_type = 'BASE TABLE' AND transactions <> 'YES' "
    b"AND table_schema NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys')"
)


class MySqlSession(Session, Generic[Handle]):
    """What both drivers' sessions share.

    Parameters
    ----------
    adapter
        Whose session it is.
    login
        Where, and as whom.
    """

    _connection: Handle

    def __init__(self, adapter: Adapter, login: Login) -> None:
        self._adapter = adapter
        self._proxy = adapter.settings.proxy
        options = dict(adapter.options)
        self._told = Told(options)
        self._options = options
        self._database = login.database.encode(self._told.encoding) if login.database else None
        self._marks = not self._proxy
        self._ask_seconds = CHECK_TIMEOUT_SECONDS
        self._began_at = monotonic()
        self._posted_at = 0.0
        self._rolled_back = False
        self._lent: Callable[[], Handle | None] | None = None
        self._deadline: Deadline
        self.exchange: Exchange

    @property
    def outcome(self) -> Outcome:  # pyrefly: ignore
        return self.exchange.outcome

    @property
    def could_lose(self) -> bool:
        return self.exchange.could_lose

    @property
    def lost_write(self) -> bytes | None:  # pyrefly: ignore
        return self.exchange.lost_write

    async def writes_at_once(self, text: bytes) -> bool:
        text = text.lower()
        tables = await self.exchange_own(COMMAND.COM_QUERY, _WITHOUT_TRANSACTIONS)
        return any(name.lower().encode(self._told.encoding) in text for (name,) in tables)

    def errors(self) -> tuple[BaseException | None]:
        return (self.exchange.error,)

    # what a driver has to do ----------------------------------------------------------------------------------------

    @abstractmethod
    async def open(self, login: Login, deadline: Deadline) -> None:
        """Connect, log in, and tell the session what it has to know."""

    @abstractmethod
    def limit(self, seconds: float | None) -> None:
        """End all waiting in so many seconds, None: at the deadline; never later than that."""

    @abstractmethod
    def is_readable(self) -> bool:
        """Tell whether something has arrived: an answer, or a farewell."""

    @abstractmethod
    def send(self) -> None:
        """Send the outbox, if the network takes it at once."""

    # what is the same for both ----------------------------------------------------------------------------------------

    def connect_options(self, deadline: Deadline) -> tuple[dict[str, Any], Deadline]:
        """Return the arguments of the driver's connect that the user gave, and until when it may take."""
        given = {name: value for name, value in self._options.items() if name not in OF_THE_CERTIFICATE}
        seconds = given.pop("connect_timeout", None)
        given["client_flag"] = given.get("client_flag", 0) | CLIENT_SESSION_TRACK
        return given, deadline if seconds is None else deadline.within(seconds)

    def tls_context(self) -> ssl.SSLContext | None:
        """Return what TLS is verified by, None where there is none."""
        tls_ca = self._adapter.settings.tls_ca
        if tls_ca is None:
            return None
        if "ssl_cert" not in self._options:
            return ssl_context(tls_ca)
        certificate, key, password = own = tuple(self._options.get(name) for name in OF_THE_CERTIFICATE)
        return ssl_context(
            tls_ca, (certificate, key), own, lambda context: show_certificate(context, certificate, key, password)
        )

    @property
    def _handle(self) -> Handle:
        """The block's handle; between blocks, or where nobody holds it any more, the session's own."""
        return (None if self._lent is None else self._lent()) or self._connection

    def lend(self, closed: Callable[[], None] | None = None) -> Handle:
        # SQLAlchemy, which closes, begins and commits by itself
        self.exchange.begin_block(autocommit=self._adapter.autocommit and closed is None)
        handle = self._connection.lend()
        # weakly: whoever loses it, as a pool may, has left an unknown state behind
        self._lent = weakref.ref(handle)
        return handle

    def end_handle(self) -> None:
        """Make the handle dead, and take over what it knows of the protocol."""
        lent, self._lent = self._lent, None
        if lent is None:
            return
        handle = lent()
        if handle is None:
            self.exchange.lost = True
        else:
            self._connection.take_back(handle)

    async def exchange_own(self, command: int, text: bytes) -> tuple[tuple[Any, ...], ...]:
        """Send a command of the runtime's own, and return the rows of its answer."""
        return await self._handle.ask(command, text)

    async def ask(self, text: bytes, command: int = COMMAND.COM_QUERY) -> tuple[tuple[Any, ...], ...]:
        """Ask a question of the runtime's own, with a short timeout."""
        self.limit(self._ask_seconds)
        try:
            rows = await self.exchange_own(command, text)
        finally:
            self.limit(None)
        if self.exchange.lost:
            # an event loop that stood still finds both at once, the answer and the end of the time
            raise OperationalError(CR.CR_SERVER_LOST, "the answer came too late")
        return rows

    async def tell(self, text: bytes) -> bool:
        """Send a statement of the runtime's own; tell whether the server accepted it."""
        try:
            await self.ask(text)
        except Error:
            if self.exchange.lost:
                raise
            return False
        return True

    async def set_up(self, deadline: Deadline) -> None:
        """Tell a fresh session what it has to know, in one round trip."""
        exchange = self.exchange
        self._deadline = deadline
        if self._proxy:
            await self._set_up_behind_proxy()
            return
        self._told.post(exchange)
        started = monotonic()
        await self._read_own_limits()
        if _UNKNOWN_SYSTEM_VARIABLE in exchange.failures:
            # an old server: without its reports, each block's session is reset
            exchange.tracks = False
            exchange.failures.clear()
            self._told.post(exchange)
            await self._read_own_limits()
        # of the login and this the quicker: what a process that stood still has measured is not the server's time
        took = min(started - self._began_at, monotonic() - started)
        self._ask_seconds = max(CHECK_TIMEOUT_SECONDS, 3 * took)
        if exchange.failures:
            raise Error(f"the server refused what a session begins with: error {exchange.failures[0]}")

    async def _set_up_behind_proxy(self) -> None:
        """Only what the user asks for: a SET would pin the proxy's session."""
        for statement in self._told.statements(proxy=True):
            await self.exchange_own(COMMAND.COM_QUERY, statement)

    async def _read_own_limits(self) -> None:
        limits = self.exchange.limits
        # of what isn't MariaDB it isn't known whether it has roles
        role = b"CURRENT_ROLE()" if limits.mariadb else b"NULL"
        question = b"SELECT %s, " % role + b", ".join(b"@@SESSION." + name for name in limits.names)
        try:
            ((named, *own),) = await self.exchange_own(COMMAND.COM_QUERY, question)
            limits.read(tuple(own))
            if limits.mariadb:
                self.exchange.role = self._told.role(named)
        except Error as error:
            if code_of(error) != _UNKNOWN_SYSTEM_VARIABLE or self.exchange.lost:
                raise
            limits.read(None)

    def _post_begin(self, deadline: Deadline, *, claimed: bool = False) -> None:
        now = monotonic()
        assignments = self.exchange.limits.begin(now, now + deadline.remaining())
        if self._marks and not claimed:
            assignments += b", " + marks.BEGUN
        self.exchange.post(b"SET " + assignments)

    async def begin(self, deadline: Deadline, pause: float) -> bool:
        self._deadline = deadline
        exchange = self.exchange
        self.limit(None)
        try:
            has_answered = self.is_readable()
            asked = pause >= CHECK_AFTER_SECONDS or (not has_answered and self._is_overdue())
            if has_answered:
                if not exchange.posted:
                    return False
                # the first answer is there: what is behind it doesn't take an invocation's time
                self.limit(self._ask_seconds)
                await self._connection.drain()
                self.limit(None)
                if self.is_readable():
                    return False
            if exchange.failures:
                # the server has no use for named locks (Galera)
                self._marks = False
                exchange.failures.clear()
            if asked and not await self._is_spared():
                return False
            if self._proxy:
                exchange.limits.ends_at = monotonic() + deadline.remaining()
            else:
                self._rolled_back = False
                self._post_begin(deadline, claimed=asked)
                self.send()
        except (Error, OSError, EOFError):
            return False
        return True

    def _is_overdue(self) -> bool:
        """Tell whether the answers to what the last block posted should be there by now.

        After a COMMIT, whose answer has come, nobody waits for them. A ROLLBACK is the last that a block says when the
        network has failed it.
        """
        if not self.exchange.posted:
            return False
        return self._rolled_back or monotonic() - self._posted_at > self._ask_seconds

    async def _is_spared(self) -> bool:
        """Ask whether the session lives, and take the lock that a hunter would need."""
        if not self._marks:
            await self.ask(b"", COMMAND.COM_PING)
            return True
        return (await self.ask(marks.CLAIM))[0][0] == 1

    async def commit(self) -> None:
        exchange = self.exchange
        if exchange.lost:
            unknown = exchange.outcome is Outcome.UNKNOWN
            if exchange.could_lose and not unknown and self._deadline.remaining() <= 0:
                raise too_late(exchange.outcome) from exchange.error
            if unknown or exchange.could_lose:
                raise _of_lost_block(exchange.error, unknown=unknown)
            return
        handle = self._handle
        await handle.finish_result()
        is_over = self._deadline.remaining() <= 0
        if exchange.unsure and not is_over:
            await handle.tell_whether_aborted()
        if exchange.aborted:
            raise TransactionAborted(ABORTED)
        if is_over:
            await self.roll_back_unsent()
            return
        if not exchange.has_open_work:
            return
        try:
            await settled(handle.commit())
        except Error:
            # of a transaction that is left, as one of XA; a session that refuses this too isn't lent again
            await self.rollback()
            raise

    async def rollback(self) -> None:
        exchange = self.exchange
        if not exchange.lost and not exchange.is_busy and (exchange.has_open_work or exchange.unsure):
            exchange.post(b"ROLLBACK")
            self._rolled_back = True
            exchange.in_transaction = exchange.unsure = False

    def take_back(self) -> bool:
        exchange = self.exchange
        self.end_handle()
        if exchange.lost or exchange.is_busy or exchange.role_lost:
            return False
        if exchange.error is not None and trouble_of(exchange.error) in (Trouble.STALE, Trouble.LOST, Trouble.PASSING):
            return False
        if self._proxy:
            # a session with state is pinned; the proxy's next one isn't
            return not exchange.changed and not exchange.has_open_work
        if exchange.changed:
            exchange.post(b"", command=COM_RESET_CONNECTION)
            if exchange.role:
                # first, since the database may be open to this role alone
                exchange.post(exchange.role)
            if self._database:
                exchange.post(self._database, command=COMMAND.COM_INIT_DB)
            self._told.post(exchange)
        if self._marks:
            exchange.post(marks.END_OF_BLOCK, vital=False)
        else:
            exchange.post(marks.END_OF_BLOCK_WITHOUT_MARK)
        try:
            self.send()
        except (Error, OSError):
            return False
        self._posted_at = monotonic()
        return True

    async def usage(self) -> tuple[int, int]:
        return await marks.usage(self, self._adapter.settings.max_connections)

    async def hunt(self, idle_seconds: int) -> int:
        return await marks.hunt(self, idle_seconds)

    def new_exchange(self, server_version: str) -> Exchange:
        """Make the exchange of a session whose server has introduced itself."""
        return Exchange(Limits(mariadb="MariaDB" in server_version), proxy=self._proxy)


def _of_lost_block(error: BaseException | None, *, unknown: bool) -> Exception:
    """Return what to raise at the end of a block that has lost its connection to an error, None: by closing it."""
    if isinstance(error, Exception):
        return error
    if error is None:
        return TransactionAborted("The block closed its connection before a commit.")
    # a cancellation that the block has dealt with: raised again, it would end a task that nobody cancels
    said = "A statement of the block was interrupted, and the interruption was caught within the block: "
    if unknown:
        told: Exception = OutcomeUnknown(said + "it is unknown whether that statement was applied.")
    else:
        told = TransactionAborted(said + "its connection is closed, and its transaction rolled back.")
    told.__cause__ = error
    return told
