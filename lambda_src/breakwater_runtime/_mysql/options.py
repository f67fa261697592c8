"""The options of the drivers' own connect: joined with the runtime's, or refused with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from breakwater_runtime.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

_REFUSED = dict.fromkeys(
    ("host", "port", "user", "password", "passwd", "db", "database", "autocommit"), "It is an argument of database()."
) | dict.fromkeys(
    ("unix_socket", "read_default_file", "read_default_group"), "Where to connect and as whom, database() is told."
) | {
    "defer_connect": "The runtime connects when the first block begins.",
    "loop": "A connection belongs to the loop that runs its block.",
}  # fmt: skip


def refuse(options: Iterable[str]) -> None:
    """Refuse the options that the runtime can't keep its promises with.

    Raises
    ------
    ConfigurationError
        With the reason.
    """
    for name in options:
        reason = _REFUSED.get(name)
        if name.startswith("ssl"):
            reason = "Chain and host name are always verified: name the authority by tls_ca."
        if reason:
            raise ConfigurationError(f"{name} is no option here. {reason}")


def names(charset: str, collation: str | None) -> bytes:
    """Return the part of a SET that names charset and collation."""
    return f"NAMES {charset}{f' COLLATE {collation}' if collation else ''}".encode()


def text_or_none(value: Any) -> bytes | None:
    """Return a statement in bytes."""
    return value.encode() if isinstance(value, str) else value
