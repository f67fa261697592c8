"""What kind of statement a text is: told by its first word, behind whatever comments a client puts before it.

A text that isn't understood, as one in a comment that servers execute (`/*! COMMIT */`), may have applied anything.
"""

from __future__ import annotations

import re
from enum import IntEnum

_LINE_COMMENT = rb"(?:--(?=[\x00-\x20\x7f])|#)[^\n]*(?:\n|\Z)"
_FIRST_WORD = re.compile(rb"(?:\s|\(|/\*(?!M?!).*?\*/|" + _LINE_COMMENT + rb")*([a-z]*)", re.IGNORECASE | re.DOTALL)
_LEAVES_STATE = re.compile(rb":=|_lock|into\s+@|/\*[!M]", re.IGNORECASE)
_SEVERAL = re.compile(rb";\s*[^\s;]")
# of few statements alone; what is compiled here is a cold start's time
_SPACE = rb"(?:\s|/\*(?!M?!)(?:[^*]|\*(?!/))*\*/|" + _LINE_COMMENT + rb")*"
_WHOLE = {
    b"begin": rb"(?i)begin(?:" + _SPACE + rb"work\b)?" + _SPACE + rb"(?:;" + _SPACE + rb")?\Z",
    b"start": rb"(?i)start" + _SPACE + rb"transaction\b",
}
_TO_SAVEPOINT = rb"(?i)rollback" + _SPACE + rb"(?:work\b" + _SPACE + rb")?to\b"
_LITERAL = rb"(?s)'[^'\\]*(?:\\.[^'\\]*)*'|\"[^\"\\]*(?:\\.[^\"\\]*)*\"|`[^`]*`"
_COMMENT = rb"--|#|/\*"
_OF_TEMPORARY_TABLE = rb"(?i)\w+\s+temporary\s+table\b"
_CHANGES = rb"(?i)\b(?:update|delete)\b"
_SET_TRANSACTION = rb"(?i)\bset\s+(?:(?:session|local|global)\s+)?transaction\b"
_LIMITS = rb"(?i)max_statement_time|max_execution_time|wait_timeout"
_ROLE = rb"(?i)\brole\b"
_SETS_MORE = rb"(?i)autocommit|global|persist|password|default|\bstatement\b|/\*M?!"

NOT_UNDERSTOOD = b"?"
READS = frozenset((b"select", b"show", b"values", b"table", b"desc", b"describe", b"explain"))
WRITES = frozenset((b"insert", b"update", b"delete", b"replace"))
MAY_WRITE = WRITES | {b"with"}
# BEGIN is not put before these: they begin or end one themselves, want none, or lose what they hold by it
WITHOUT_BEGIN = frozenset((
    b"begin", b"start", b"commit", b"rollback", b"xa", b"lock", b"unlock", b"use", b"kill",
))  # fmt: skip
# A server that is read-only refuses these before it does anything
_REFUSED_AT_ONCE = frozenset((b"commit", b"create", b"alter", b"drop", b"truncate", b"rename"))
# These leave no state behind in a session, unless _LEAVES_STATE is in their text
CLEAN = READS | MAY_WRITE | {b"begin", b"start", b"commit", b"rollback", b"savepoint", b"release", b"kill"}

# A longer text isn't searched: it counts as one that leaves state behind
_LONGEST_SEARCHED = 16384


class Kind(IntEnum):
    """What a statement may have applied once it was sent."""

    NOTHING = 0
    """It reads, undoes, or concerns the session alone."""
    WITH_COMMIT = 1
    """What a COMMIT applies later; at once, where no transaction is open."""
    WHAT_IS_OPEN = 2
    """What the open transaction has written; nothing, where none is open."""
    ANYTHING = 3
    """It may have committed, and begun anew: as DDL, CALL, and all that isn't understood."""


_KINDS = (
    dict.fromkeys(READS | {b"rollback", b"savepoint", b"release", b"use", b"kill", b"signal"}, Kind.NOTHING)
    | dict.fromkeys(WRITES | {b"do"}, Kind.WITH_COMMIT)
    | dict.fromkeys((b"begin", b"start", b"commit", b"lock"), Kind.WHAT_IS_OPEN)
)


def first_word(text: bytes) -> bytes:
    """Return a statement's first word, in lower case."""
    found = _FIRST_WORD.match(text)
    word = found[1].lower() if found else b""
    whole = _WHOLE.get(word)
    if found is None or not word or (whole and not re.compile(whole).match(text, found.start(1))):
        # nor is a compound statement (BEGIN NOT ATOMIC) a BEGIN
        return NOT_UNDERSTOOD
    return word


def is_one(text: bytes, *, escapes: bool = True) -> bool:
    """Tell whether a text is certainly one statement: what is in literals and in the comments before it doesn't count.

    `escapes`: a backslash escapes what is behind it, as in every mode but NO_BACKSLASH_ESCAPES.
    """
    if not _SEVERAL.search(text):
        return True
    found = _FIRST_WORD.match(text)
    start = found.start(1) if found else 0
    if not _SEVERAL.search(text, start):
        return True
    if not escapes and b"\\" in text:
        return False
    rest = re.sub(_LITERAL, b"", text[start:])
    return not _SEVERAL.search(rest) and not re.search(_COMMENT, rest)


def is_to_savepoint(text: bytes) -> bool:
    """Tell whether a ROLLBACK leaves its transaction open."""
    return re.search(_TO_SAVEPOINT, text) is not None


def kind_of(word: bytes, text: bytes, *, escapes: bool = True) -> Kind:
    """Tell what a text may have applied once it was sent; `escapes` as of is_one()."""
    if not is_one(text, escapes=escapes):
        return Kind.ANYTHING
    if word == b"set":
        if re.search(_SETS_MORE, text):
            return Kind.ANYTHING
        # a function may write
        return Kind.WITH_COMMIT if b"(" in text else Kind.NOTHING
    if word == b"with":
        return Kind.WITH_COMMIT if re.search(_CHANGES, text) else Kind.NOTHING
    if word in (b"create", b"drop") and re.compile(_OF_TEMPORARY_TABLE).match(text.lstrip()):
        return Kind.WITH_COMMIT
    return _KINDS.get(word, Kind.ANYTHING)


def is_refused_at_once(word: bytes, text: bytes) -> bool:
    """Tell whether a statement has done nothing if a server that is read-only refuses it."""
    return word in _REFUSED_AT_ONCE and is_one(text)


def leaves_state(word: bytes, text: bytes) -> bool:
    """Tell whether a statement may leave state in the session that the server doesn't report."""
    return word not in CLEAN or len(text) > _LONGEST_SEARCHED or _LEAVES_STATE.search(text) is not None


def wants_begin(word: bytes, text: bytes) -> bool:
    """Tell whether a transaction has to be open before a statement."""
    return word not in WITHOUT_BEGIN and not (word == b"set" and re.search(_SET_TRANSACTION, text))


def may_set_role(text: bytes) -> bool:
    """Tell whether a statement names a role."""
    return re.search(_ROLE, text) is not None


def sets_limits(word: bytes, text: bytes) -> bool:
    """Tell whether a statement sets one of the timeouts that the runtime sets, too."""
    return word == b"set" and re.search(_LIMITS, text) is not None
