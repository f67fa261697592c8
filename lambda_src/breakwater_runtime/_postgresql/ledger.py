"""What a block's statements may have applied, told by their texts and by the transaction's status before and after.

psycopg knows the status of the transaction (`PQtransactionStatus`) after each answer: a block that was in a
transaction and is in none any more has committed, unless all that it said was ROLLBACK. While an answer is
outstanding the text alone tells whether it may commit.
"""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING

from psycopg.pq import TransactionStatus

from breakwater_runtime._core.outcome import Outcome
from breakwater_runtime._core.writing import may_write

if TYPE_CHECKING:
    from psycopg.pq.abc import PGconn

_GAP = rb"(?:\s|--[^\n]*(?:\n|$)|/\*(?:[^*]|\*(?!/))*\*/)*"
_FIRST_WORD = re.compile(_GAP + rb"([a-z]*)", re.IGNORECASE)
_CHAIN = rb"(?:\s+and(?:\s+no)?\s+chain)?" + _GAP + rb"(?:;" + _GAP + rb")?"
_DATA = (b"select", b"insert", b"update", b"delete", b"merge", b"with", b"values", b"copy", b"table")
# These three are compiled when first needed, which is never by most functions: 0.6 ms of a cold start
_REST = rb"(?i)(?:\s+(?:work|transaction))?(?:\s+(to)\b[^;]*;?\s*|" + _CHAIN + rb")"
# a body between dollars has its own BEGIN and END; COMMIT is an error there within a transaction
_NOT_OF_A_BODY = rb"(?i)\b(?:commit|prepare\s+transaction|rollback|abort|chain)\b|;\s*end\s*;?\s*\Z"
_ENDS_ONE = rb"(?i)\b(?:commit|end|prepare\s+transaction|rollback|abort)\b"
_CACHED_BYTES = 4096


class Kind(Enum):
    """What a message can do to the transaction that it is sent in."""

    PLAIN = "leaves it open"
    STEPS = "leaves it open; where none is open, it may commit in steps"
    BEGIN = "opens it"
    COMMIT = "is a COMMIT and nothing else"
    ROLLBACK = "is a ROLLBACK and nothing else"
    ANYTHING = "several statements, one of which may end it; or a text that isn't known"


_ONE_KIND = dict.fromkeys(_DATA, Kind.PLAIN) | {b"call": Kind.STEPS}
_OF_THE_DRIVER = {b"BEGIN": Kind.BEGIN, b"COMMIT": Kind.COMMIT, b"ROLLBACK": Kind.ROLLBACK}


def kind_of(text: bytes | None) -> Kind:
    """Classify a message; None stands for one that nobody has seen."""
    if text is None:
        return Kind.ANYTHING
    return _OF_THE_DRIVER.get(text) or (_known if len(text) <= _CACHED_BYTES else _classified)(text)


def first_word(text: bytes) -> bytes:
    """Return a statement's first word, in lower case."""
    found = _FIRST_WORD.match(text)
    return found[1].lower() if found else b""


def _classified(text: bytes) -> Kind:
    found = _FIRST_WORD.match(text)
    word = found[1].lower() if found else b""
    is_single = b";" not in text.rstrip(b"; \t\r\n")
    if is_single and word in _ONE_KIND:
        return _ONE_KIND[word]
    if not re.search(_ENDS_ONE, text):
        return Kind.BEGIN if is_single and word in (b"begin", b"start") else Kind.PLAIN
    if word in (b"do", b"create") and not re.search(_NOT_OF_A_BODY, text):
        # the body may call a procedure
        return Kind.STEPS if word == b"do" else Kind.PLAIN
    rest = re.compile(_REST).fullmatch(text, found.end() if found else 0)
    if rest is None:
        return Kind.ANYTHING
    if word in (b"rollback", b"abort"):
        return Kind.PLAIN if rest[1] else Kind.ROLLBACK
    return Kind.COMMIT if word in (b"commit", b"end") and not rest[1] else Kind.ANYTHING


_known = lru_cache(512)(_classified)


class Ledger:
    """The outcome of one block on one connection.

    Attributes
    ----------
    outcome
        What is known so far.
    in_transaction
        Whether a transaction was open when the last answer came.
    rolled_back
        Whether the last answer was that to the COMMIT of a failed transaction: ROLLBACK, and no error.
    unsaved
        Something may have been written since the last COMMIT.
    """

    __slots__ = ("_before", "_kinds", "_pgconn", "in_transaction", "outcome", "rolled_back", "unsaved")

    def __init__(self, pgconn: PGconn) -> None:
        self._pgconn = pgconn
        self._kinds: set[Kind] = set()
        self._before = TransactionStatus.IDLE
        self.outcome = Outcome.OPEN
        self.in_transaction = False
        self.rolled_back = False
        self.unsaved = False

    @property
    def could_lose(self) -> bool:
        """Whether a transaction is open in which something may have been written."""
        return self.unsaved and self.in_transaction

    def sends(self, text: bytes | None) -> None:
        """Note a message that is about to be sent; what was sent before has been answered, unless in a pipeline."""
        status = self._pgconn.transaction_status
        if status == TransactionStatus.UNKNOWN:
            # on a connection that is closed
            return
        if status != TransactionStatus.ACTIVE:
            self.answered(failed=False)
            self._before = TransactionStatus(status)
        self._kinds.add(kind_of(text))
        self.unsaved = self.unsaved or text is None or may_write(first_word(text), text)

    def answered(self, *, failed: bool) -> None:
        """Note that all answers have come, the last of them an error of the server's or not."""
        status = self._pgconn.transaction_status
        if status in (TransactionStatus.ACTIVE, TransactionStatus.UNKNOWN):
            return
        kinds, self._kinds = self._kinds, set()
        self.in_transaction = status != TransactionStatus.IDLE
        self.rolled_back = kinds == {Kind.COMMIT} and self._before == TransactionStatus.INERROR and not failed
        if not self.in_transaction or (not failed and kinds and kinds <= {Kind.COMMIT, Kind.ROLLBACK}):
            self.unsaved = False
        if kinds:
            self.outcome = max(self.outcome, self._verdict(kinds, status, failed=failed))

    def _verdict(self, kinds: set[Kind], status: int, *, failed: bool) -> Outcome:
        if kinds <= {Kind.BEGIN, Kind.ROLLBACK}:
            return Outcome.OPEN
        ends = bool(kinds & {Kind.COMMIT, Kind.ANYTHING})
        if failed:
            # an error undoes a single COMMIT; behind a COMMIT in the same message it doesn't
            in_steps = Kind.STEPS in kinds and self._before == TransactionStatus.IDLE and Kind.BEGIN not in kinds
            return Outcome.UNKNOWN if in_steps or Kind.ANYTHING in kinds else Outcome.OPEN
        if self._before == TransactionStatus.INERROR:
            # COMMIT of a failed transaction is a rollback
            return Outcome.APPLIED if Kind.ANYTHING in kinds else Outcome.OPEN
        if self._before == TransactionStatus.IDLE and Kind.BEGIN not in kinds:
            return Outcome.APPLIED
        if status == TransactionStatus.IDLE or ends:
            return Outcome.APPLIED
        return Outcome.OPEN

    def lost(self) -> None:
        """Note that the answer to what was sent last will never come."""
        kinds, self._kinds = self._kinds, set()
        if not kinds or kinds <= {Kind.BEGIN, Kind.ROLLBACK}:
            return
        outside = self._before == TransactionStatus.IDLE and Kind.BEGIN not in kinds
        failed_before = self._before == TransactionStatus.INERROR and Kind.ANYTHING not in kinds
        if outside or (kinds & {Kind.COMMIT, Kind.ANYTHING} and not failed_before):
            self.outcome = Outcome.UNKNOWN
