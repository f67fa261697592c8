"""The options of the drivers' own connect: joined with the runtime's, or refused with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pymysql.charset import charset_by_name
from pymysql.connections import DEFAULT_CHARSET
from pymysql.constants import CLIENT

from breakwater_runtime._core.options import LOGIN, VERIFIED, refuse
from breakwater_runtime.errors import ConfigurationError

if TYPE_CHECKING:
    from breakwater_runtime._mysql.exchange import Exchange
    from breakwater_runtime.environment import Settings

_REFUSED = (
    dict.fromkeys(("passwd", "db"), "It is an argument of database().")
    | dict.fromkeys(("unix_socket", "named_pipe", "read_default_file", "read_default_group"), LOGIN)
    | {
        "compress": "Neither PyMySQL nor aiomysql can.",
        "defer_connect": "The runtime connects when the first block begins.",
        "loop": "A connection belongs to the loop that runs its block.",
    }
)

OF_THE_CERTIFICATE = ("ssl_cert", "ssl_key", "ssl_key_password")
"""PyMySQL's names for a client's certificate; aiomysql has none, and gets the context that they make."""

_TRACKING = b"SESSION session_track_state_change=1, SESSION session_track_transaction_info='STATE'"


def check(driver: str, options: dict[str, Any], settings: Settings, known: set[str]) -> None:
    """Refuse the options that the runtime can't keep its promises with.

    Raises
    ------
    ConfigurationError
        With the reason.
    """
    # those of releases to come, too
    of_tls = {name: VERIFIED for name in options if name.startswith("ssl") and name not in OF_THE_CERTIFICATE}
    refuse(driver, options, _REFUSED | of_tls, known.union(OF_THE_CERTIFICATE))
    own = [name for name in OF_THE_CERTIFICATE if name in options]
    if own and settings.tls_ca is None:
        raise ConfigurationError(f"{own[0]} is no option in plain text. {VERIFIED}")
    if own and "ssl_cert" not in options:
        raise ConfigurationError(f"{own[0]} needs ssl_cert, the certificate.")


class Told:
    """What a session is told at its beginning and after each reset: the user's options first, so that ours hold."""

    def __init__(self, options: dict[str, Any]) -> None:
        charset, collation = options.get("charset") or DEFAULT_CHARSET, options.get("collation")
        self.encoding = charset_by_name(charset).encoding
        self._options = f"SET NAMES {charset}{f' COLLATE {collation}' if collation else ''}"
        mode = options.pop("sql_mode", None)
        if options.get("client_flag", 0) & CLIENT.IGNORE_SPACE:
            # a reset forgets this one of the login's flags
            kept = "@@sql_mode" if mode is None else _quoted(mode)
            self._options += f", SESSION sql_mode=CONCAT_WS(',', NULLIF({kept}, ''), 'IGNORE_SPACE')"
        elif mode is not None:
            self._options += f", SESSION sql_mode={_quoted(mode)}"
        command = options.pop("init_command", None)
        self._init_command: bytes | None = command.encode(self.encoding) if isinstance(command, str) else command

    def statements(self, *, proxy: bool) -> list[bytes]:
        """Return the user's options as statements; a SET of autocommit would pin a proxy's session."""
        if proxy:
            return [one for one in (self._options.encode(), self._init_command) if one]
        first = f"{self._options}, SESSION autocommit=1".encode()
        return [first, self._init_command, b"SET SESSION autocommit=1"] if self._init_command else [first]

    def role(self, name: str | None) -> bytes:
        """Return the statement that sets a role of MariaDB's, None: no role."""
        return b"SET ROLE NONE" if name is None else f"SET ROLE `{name.replace('`', '``')}`".encode(self.encoding)

    def post(self, exchange: Exchange) -> None:
        """Let all of it leave with the next message."""
        for statement in self.statements(proxy=False):
            exchange.post(statement)
        if exchange.tracks:
            exchange.post(b"SET " + _TRACKING, vital=False)


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
