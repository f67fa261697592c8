"""The messages of the runtime's own to PostgreSQL."""

# ruff: noqa: S608 -- the statements are made of numbers and of the runtime's own names

from __future__ import annotations

from typing import TYPE_CHECKING

from breakwater_runtime.deadline import MARGIN_SECONDS
from breakwater_runtime.environment import LONGEST_FUNCTION_SECONDS

if TYPE_CHECKING:
    from breakwater_runtime.deadline import Deadline
    from breakwater_runtime.environment import Settings

# The last message of a block begins with this, and pg_stat_activity shows it as long as the session idles: whoever
# looks for sessions of frozen environments looks for this text. Any further message replaces it.
IDLE_MARK = b"/*breakwater idle*/"

# What DISCARD ALL does, in a form that may follow COMMIT in one message; without DEALLOCATE ALL, so that the
# statements that psycopg has prepared stay so. RESET ALL returns to the values given at startup.
_RESET = (
    b"RESET ALL; RESET SESSION AUTHORIZATION; RESET ROLE; CLOSE ALL; UNLISTEN *; DISCARD TEMP; DISCARD SEQUENCES; "
    b"SELECT pg_advisory_unlock_all()"
)

UNKNOWN = "it is unknown whether what was sent last was applied, and nothing is repeated"

# A session idles at most so long between two blocks; within one, as long as the function may run.
IDLE_SECONDS = 20
# The server ends what an environment has left behind so long after the function's time is over.
GRACE_SECONDS = 3
# How often the server looks whether the client of a running statement is still there
CHECK_INTERVAL_SECONDS = 0.5

# transaction_timeout (17 and newer) bounds statements, pauses and COMMIT; the two others, statements and pauses
_OF_TRANSACTION = (("transaction_timeout",), ("statement_timeout", "idle_in_transaction_session_timeout"))


def limit_session(settings: Settings, *, autocommit: bool) -> bytes:
    """Return the statement that bounds a new session, and tells what the server knows of such limits.

    Never loosened: a limit of the administrator's that is lower stays. PostgreSQL 13 and older, and servers that only
    speak PostgreSQL's protocol, know some of these settings or none; nothing is asked of them at startup, so they
    refuse nothing. Without autocommit the limits of statements come with BEGIN.
    """
    seconds = settings.function_timeout or LONGEST_FUNCTION_SECONDS
    wanted = {
        "client_connection_check_interval": CHECK_INTERVAL_SECONDS,
        "idle_session_timeout": max(IDLE_SECONDS, seconds + GRACE_SECONDS),
        "idle_in_transaction_session_timeout": seconds + GRACE_SECONDS if autocommit else 0,
        "statement_timeout": seconds if autocommit else 0,
        "transaction_timeout": 0,
    }
    values = " ".join(f"WHEN '{name}' THEN {int(value * 1000)}" for name, value in wanted.items())
    names = ", ".join(f"'{name}'" for name in wanted)
    return (
        "SELECT name, setting, set_config(name, coalesce(least(nullif(setting::bigint, 0), nullif(ours, 0)), 0)::text, "
        "false) "
        f"FROM (SELECT name, setting, CASE name {values} END AS ours FROM pg_catalog.pg_settings "
        f"WHERE name IN ({names})) AS known"
    ).encode()


class Limits:
    """What a session's server can bound, and how far it bounds by itself.

    Parameters
    ----------
    rows
        Name, the session's own value in milliseconds and the one that holds now, as `limit_session` answers; none
        where nothing can be set.

    Attributes
    ----------
    cleaning
        The statements that undo what a block left in the session, these limits excepted.
    """

    def __init__(self, rows: list[tuple[str, ...]]) -> None:
        self._own = {name: int(own) for name, own, _ in rows}
        self._bounded = next((names for names in _OF_TRANSACTION if names[0] in self._own), ())
        ours = (f", set_config('{name}', '{now}', false)" for name, own, now in rows if now not in ("0", own))
        self.cleaning = _RESET + "".join(ours).encode()

    def of_transaction(self, deadline: Deadline) -> list[bytes]:
        """Return what follows BEGIN: no transaction outlasts its invocation on the server."""
        milliseconds = int((max(0.0, deadline.remaining()) + MARGIN_SECONDS) * 1000)
        return [
            b"SET LOCAL %s = %d" % (name.encode(), min(self._own[name] or milliseconds, milliseconds))
            for name in self._bounded
        ]
