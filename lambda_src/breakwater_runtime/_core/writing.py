"""Whether a statement may have written something that a rollback takes away, as far as its text tells."""

from __future__ import annotations

import re

# Nothing is compiled at import: it is a cold start's time
_READS = frozenset((b"select", b"with", b"values", b"table", b"explain", b"desc", b"describe"))
# They hold, show or end something, and write nothing
_CONTROLS = frozenset((
    b"show", b"set", b"use", b"begin", b"start", b"commit", b"end", b"rollback", b"abort", b"savepoint", b"release",
    b"fetch", b"move", b"close", b"lock", b"unlock",
))  # fmt: skip
# What may stand before a parenthesis in a read; any other function may be one that writes
_HARMLESS = frozenset(
    b" all and any array as avg between bit by case cast char coalesce concat connection_id count current_database "
    b"current_schema current_setting current_timestamp database date date_format date_trunc decimal distinct else "
    b"except exists extract filter for from generate_series greatest group having if ifnull in intersect isnull join "
    b"json_agg jsonb_agg least left length like limit lower max min not now nullif numeric of on or order over "
    b"partition pg_backend_pid rank replace right round row row_number select substring sum table then to_char trim "
    b"union unnest upper using values varchar version when where with".split(b" ")
)
_NAME = bytes(one for one in range(256) if one >= 128 or chr(one).isalnum() or chr(one) in '_$"`')
_WRITES = rb"(?i)\b(?:insert|update|delete|merge|replace|into)\b"
_INTO = rb"(?i)\binto\b"
# A longer text isn't searched
_LONGEST_SEARCHED = 16384


def may_write(word: bytes, text: bytes) -> bool:
    """Tell whether a statement may have written something.

    Parameters
    ----------
    word
        Its first word, in lower case.
    text
        All of it.
    """
    if word not in _READS and word not in _CONTROLS:
        return True
    if len(text) > _LONGEST_SEARCHED or b";" in text.rstrip(b"; \t\r\n"):
        return True
    if word in _READS and re.search(_INTO if word == b"select" else _WRITES, text):
        return True
    return b"(" in text and any(_name_at_end(part) not in _HARMLESS for part in text.lower().split(b"(")[:-1])


def _name_at_end(part: bytes) -> bytes:
    part = part.rstrip()
    return part[len(part.rstrip(_NAME)) :]
