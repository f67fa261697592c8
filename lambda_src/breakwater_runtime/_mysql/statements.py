"""What kind of statement a text is: told by its first word, behind whatever comments a client puts before it."""

from __future__ import annotations

import re

_FIRST_WORD = re.compile(rb"(?:\s|\(|/\*(?![!M]).*?\*/|--\s[^\n]*\n|#[^\n]*\n)*([a-z]*)", re.IGNORECASE | re.DOTALL)

READS = frozenset((b"select", b"show", b"with", b"values", b"table", b"desc", b"describe", b"explain"))
WRITES = frozenset((b"insert", b"update", b"delete", b"replace"))
MAY_WRITE = WRITES | {b"with"}
# Between BEGIN and COMMIT these can neither end the transaction nor be applied by themselves
PLAIN = READS | WRITES | {b"rollback", b"savepoint", b"release", b"do", b"use"}
# BEGIN is not put before these: they begin or end one themselves, want none, or lose what they hold by it
WITHOUT_BEGIN = frozenset((
    b"begin", b"start", b"commit", b"rollback", b"xa", b"lock", b"unlock", b"use", b"kill",
))  # fmt: skip
# These leave no state behind in a session, unless _LEAVES_STATE is in their text
CLEAN = READS | WRITES | {b"begin", b"start", b"commit", b"rollback", b"savepoint", b"release", b"kill"}

_LEAVES_STATE = re.compile(rb":=|_lock|into\s+@|/\*[!M]", re.IGNORECASE)
_SEVERAL = re.compile(rb";\s*[^\s;]")
# of a SET alone; what is compiled here is a cold start's time
_SET_TRANSACTION = rb"(?i)\bset\s+(?:(?:session|local|global)\s+)?transaction\b"
_LIMITS = rb"(?i)max_statement_time|max_execution_time|wait_timeout"
_SETS_MORE = rb"(?i)autocommit|global|persist|password|role"
# A longer text isn't searched: it counts as one that leaves state behind
_LONGEST_SEARCHED = 16384


def first_word(text: bytes) -> bytes:
    """Return a statement's first word, in lower case."""
    found = _FIRST_WORD.match(text)
    return found[1].lower() if found else b""


def leaves_state(word: bytes, text: bytes) -> bool:
    """Tell whether a statement may leave state in the session that the server doesn't report."""
    return word not in CLEAN or len(text) > _LONGEST_SEARCHED or _LEAVES_STATE.search(text) is not None


def wants_begin(word: bytes, text: bytes) -> bool:
    """Tell whether a transaction has to be open before a statement."""
    return word not in WITHOUT_BEGIN and not (word == b"set" and re.search(_SET_TRANSACTION, text))


def is_plain(word: bytes, text: bytes) -> bool:
    """Tell whether a statement, as long as no COMMIT follows, leaves nothing behind if its session is lost."""
    if _SEVERAL.search(text, 0, _LONGEST_SEARCHED):
        return False
    return word in PLAIN or (word == b"set" and not re.search(_SETS_MORE, text))


def sets_limits(word: bytes, text: bytes) -> bool:
    """Tell whether a statement sets one of the timeouts that the runtime sets, too."""
    return word == b"set" and re.search(_LIMITS, text) is not None
