"""Whose quota a message counts against, where each tenant, account or API key has one of its own."""

from __future__ import annotations

import hashlib
from typing import Any

from .message_values import MissingValueError, read_value

MESSAGE_GROUP = "message group"
"""The key is the message's group, in place of a path or the name of an attribute."""
FIRST_NUMBER = 1 << 48
"""Below are the lanes of the shelf."""
NOBODY = FIRST_NUMBER
"""The number of messages without a key, which are never called."""
_LONGEST = 256


class KeyMissingError(Exception):
    """A message without a key."""


def read_key(record: dict[str, Any], source: str) -> str:
    """Return a message's key: a text, or a whole number.

    Parameters
    ----------
    record
        As the event source mapping hands it over.
    source
        A path in the body, the name of a message attribute, or `MESSAGE_GROUP`.

    Raises
    ------
    KeyMissingError
        When it has none, or one of another kind, or a longer one than 256 characters. The key itself is not named.
    """
    if source == MESSAGE_GROUP:
        value = record["attributes"].get("MessageGroupId")
        if value is None:
            raise KeyMissingError("it has no message group, which is its key")
    else:
        try:
            value = read_value(record, source, "its key")
        except MissingValueError as error:
            raise KeyMissingError(str(error)) from None
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not 0 < len(text) <= _LONGEST:
        raise KeyMissingError(f"its key {source} is neither a text of 1 to {_LONGEST} characters nor a whole number")
    return text


def key_number(key: str) -> int:
    """Return what stands for a key wherever it is kept: names of tenants may be personal."""
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
    return FIRST_NUMBER + 1 + int.from_bytes(digest[:6], "big")


def number_of(record: dict[str, Any], source: str) -> int:
    """Return the number of a message's key; `NOBODY` when it has none."""
    try:
        return key_number(read_key(record, source))
    except KeyMissingError:
        return NOBODY


def key_refusal(record: dict[str, Any], source: str) -> str:
    """Say why a message can never be called; empty when it has a key, or needs none."""
    try:
        if source:
            read_key(record, source)
    except KeyMissingError as error:
        return f"not called: {error}"
    return ""
