"""What the two ends of a session know of each other: what was sent, what was answered, and what that means.

Nothing is read or sent here, so that PyMySQL's and aiomysql's connections share it. A *posted* message is one whose
answer is read by whoever reads next: MySQL answers in order, and each answer begins a new sequence.
"""

from __future__ import annotations

import struct
from time import monotonic
from typing import TYPE_CHECKING

from pymysql.constants import COMMAND, CR, SERVER_STATUS
from pymysql.err import OperationalError

from breakwater_runtime._core.outcome import Outcome
from breakwater_runtime._core.trouble import Trouble
from breakwater_runtime._core.writing import may_write
from breakwater_runtime._mysql import statements
from breakwater_runtime._mysql.answer import DONE, Answer
from breakwater_runtime._mysql.errors import code_of, trouble_of
from breakwater_runtime._mysql.statements import Kind
from breakwater_runtime.errors import TransactionAborted

if TYPE_CHECKING:
    from breakwater_runtime._mysql.limits import Limits

ABORTED = (
    "The server had rolled the transaction back (a deadlock, for example), and the block went on: nothing of it is "
    "applied. Let the error out of the block, or call connection.rollback() before the next statement."
)


class Exchange:
    """The exchange of one session.

    Attributes
    ----------
    answer
        The answer to the last command that was not posted.
    outbox
        Posted messages that leave with the next one.
    posted
        For each posted message without an answer: whether the session is useless if it fails.
    failures
        The codes of the posted messages that failed and may.
    in_transaction
        Whether a transaction is open, as the server said last, or as a BEGIN on its way will make it.
    role
        The statement that brings back the role of the login, which no reset does; None: none is known.
    role_lost
        The session may have another role than its login's, for good.
    unsure
        An error packet, which carries no flags, has hidden whether the transaction is still open.
    aborted
        The server has rolled the transaction back, and the block went on.
    autocommit
        Whether the block's statements commit by themselves.
    tracks
        Whether the server reports what a session changes.
    changed
        The session has state to undo.
    error
        The last error that the driver has raised.
    lost
        The session is of no use any more.
    lost_write
        The statement that writes, and whose answer will never come.
    unsaved
        Something may have been written since the last COMMIT.
    """

    __slots__ = (
        "_kind", "_own", "_server_autocommit", "_text", "_word", "aborted", "answer", "autocommit", "changed",
        "error", "failures", "in_transaction", "limits", "lost", "lost_write", "outbox", "outcome", "posted", "proxy",
        "role", "role_lost", "tracks", "unsaved", "unsure",
    )  # fmt: skip

    def __init__(self, limits: Limits, *, proxy: bool) -> None:
        self.limits = limits
        self.proxy = proxy
        self.answer = Answer()
        self.outbox = bytearray()
        self.posted: list[bool] = []
        self.failures: list[int | None] = []
        self.tracks = True
        self.role: bytes | None = None
        self.role_lost = False
        self.in_transaction = self.lost = False
        self._server_autocommit = True
        self._own = True
        self._kind = Kind.NOTHING
        self._word = self._text = b""
        self.begin_block(autocommit=True)

    def begin_block(self, *, autocommit: bool) -> None:
        """Forget the block before."""
        self.autocommit = autocommit
        self.unsaved = self.unsure = self.aborted = False
        self.changed = not self.tracks
        self.outcome = Outcome.OPEN
        self.error: BaseException | None = None
        self.lost_write: bytes | None = None

    @property
    def has_open_work(self) -> bool:
        """Whether a transaction may be open."""
        return self.in_transaction or not self._server_autocommit

    @property
    def could_lose(self) -> bool:
        """Whether a transaction may be open in which something may have been written."""
        return self.unsaved and self.has_open_work

    @property
    def is_busy(self) -> bool:
        """Whether a command is on its way whose answer has not been read to its end."""
        return self.answer.stage != DONE

    @property
    def place(self) -> str:
        """What is being waited for, for messages."""
        return self._word.decode().upper() if self._word in (b"commit", b"rollback") else "statement"

    def post(self, text: bytes, *, command: int = COMMAND.COM_QUERY, vital: bool = True) -> None:
        """Add a message to what leaves next; nobody waits for its answer."""
        self.outbox += struct.pack("<iB", len(text) + 1, command) + text
        self.posted.append(vital)

    def post_answered(self, answer: Answer) -> None:
        """Note the answer to the first posted message."""
        del self.posted[0]
        if not self.posted:
            # before that, a BEGIN on its way counts
            self._note_status(answer.status)

    def post_refused(self, error: BaseException) -> None:
        """Note the server's error for the first posted message; raise it if the session is useless now."""
        if not self.posted.pop(0):
            self.failures.append(code_of(error))
            return
        if trouble_of(error) not in (Trouble.LOST, Trouble.PASSING) and self.is_busy and self._kind is not Kind.NOTHING:
            # what was sent behind it may have been run without a transaction
            self.outcome = Outcome.UNKNOWN
            error = OperationalError(CR.CR_SERVER_LOST, f"Lost connection to MySQL server during query ({error})")
        self.error = error
        self.lost = True
        raise error

    def sending(self, command: int, text: bytes, *, own: bool = False) -> None:
        """Note a command, and post what has to come before it.

        Raises
        ------
        TransactionAborted
            The server has rolled the block's transaction back.
        """
        self._own = own
        self._word, self._kind = b"", Kind.NOTHING
        if not own and command == COMMAND.COM_QUERY:
            self._text = text
            word = self._word = statements.first_word(text)
            if word == b"rollback" and not statements.is_to_savepoint(text):
                self.aborted = self.unsure = False
            elif self.aborted:
                raise TransactionAborted(ABORTED)
            escapes = not self.answer.status & SERVER_STATUS.SERVER_STATUS_NO_BACKSLASH_ESCAPES
            self._kind = statements.kind_of(word, text, escapes=escapes)
            if self._kind is Kind.ANYTHING or statements.leaves_state(word, text):
                self.changed = True
                self.role_lost = self.role_lost or (self.role is None and statements.may_set_role(text))
            if self._kind is Kind.WHAT_IS_OPEN:
                self._kind = Kind.ANYTHING if self.has_open_work else Kind.NOTHING
            self.unsaved = self.unsaved or may_write(word, text)
            if not self.proxy:
                self._post_before(word, text)
        self.answer.begin(own=own)

    def _post_before(self, word: bytes, text: bytes) -> None:
        if statements.sets_limits(word, text):
            self.limits.users_own = True
        elif (late := self.limits.tightened(monotonic())) is not None:
            self.post(late)
        if self.wants_begin(text):
            # BEGIN would release the locks of LOCK TABLES
            self.post(b"SET autocommit=0" if word == b"lock" else b"BEGIN")
            self.in_transaction = True

    def wants_begin(self, text: bytes) -> bool:
        """Tell whether a transaction has to be open before a statement, and is not."""
        if self.autocommit or self.in_transaction or not self._server_autocommit:
            return False
        word = statements.first_word(text)
        return word == b"lock" or statements.wants_begin(word, text)

    def answered(self, packet: bytes) -> None:
        """Note a packet of the answer to the command that was not posted."""
        answer = self.answer
        if not answer.feed(packet):
            return
        if not self._own:
            self.changed = self.changed or answer.changed
            if answer.written or self._has_applied(answer.status):
                self.outcome = Outcome.APPLIED
        self._note_status(answer.status)
        if not self.is_busy and (not self.has_open_work or self._begins_anew()):
            self.unsaved = False

    def _note_status(self, status: int) -> None:
        self.in_transaction = bool(status & SERVER_STATUS.SERVER_STATUS_IN_TRANS)
        self._server_autocommit = bool(status & SERVER_STATUS.SERVER_STATUS_AUTOCOMMIT)

    def _begins_anew(self) -> bool:
        return self._word in (b"begin", b"start", b"commit") and not may_write(self._word, self._text)

    def _has_applied(self, status: int) -> bool:
        """Tell whether the command that was answered may have committed something."""
        if self._kind is Kind.ANYTHING:
            # it may have begun another transaction since
            return True
        if self._word == b"rollback" or not self._word:
            return False
        is_in = bool(status & SERVER_STATUS.SERVER_STATUS_IN_TRANS)
        if self.in_transaction:
            return not is_in
        return not is_in and self._server_autocommit and self._kind is Kind.WITH_COMMIT

    def refused(self, error: BaseException) -> None:
        """Note the server's error in place of an answer."""
        self.answer.stage = DONE
        self.error = error
        if self._own:
            return
        meaning = trouble_of(error)
        refused_at_once = meaning is Trouble.STALE or (meaning is Trouble.CONFLICT and self._word == b"commit")
        if refused_at_once and statements.is_refused_at_once(self._word, self._text):
            # before it did anything, or rolled back as a whole
            self._kind = Kind.NOTHING
        self.unsure = self.in_transaction
        if self._kind is Kind.ANYTHING:
            self.outcome = Outcome.UNKNOWN

    def told(self, *, was_plain: bool) -> None:
        """After an error the server was asked whether the transaction is still open."""
        self.unsure = False
        if not self.in_transaction and self._server_autocommit:
            if was_plain:
                self.aborted = True
            else:
                # DDL that fails has committed what was before it
                self.outcome = Outcome.UNKNOWN

    @property
    def failed_plainly(self) -> bool:
        """Whether the last command leaves nothing behind when it fails."""
        return self._kind is not Kind.ANYTHING

    def failed(self, error: BaseException) -> None:
        """Note that the session is lost, or that an exception came between a command and its answer."""
        self.error = error
        self.lost = True
        if not self.is_busy or self._own:
            return
        if self._word in statements.MAY_WRITE:
            self.lost_write = self._text
        if self._kind is Kind.ANYTHING or (self._kind is Kind.WITH_COMMIT and not self.in_transaction):
            self.outcome = Outcome.UNKNOWN
