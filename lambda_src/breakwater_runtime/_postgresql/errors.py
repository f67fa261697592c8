"""What PostgreSQL's errors mean, by their SQLSTATE; of a refused connection libpq hands on the text alone."""

from __future__ import annotations

import psycopg

from breakwater_runtime._core.trouble import Trouble, is_refused_in_tls

# PostgreSQL documentation, appendix A "PostgreSQL Error Codes"
_STATES = {
    "40001": Trouble.CONFLICT,  # serialization_failure; Aurora DSQL reports each conflict so, COMMIT's too
    "40P01": Trouble.CONFLICT,  # deadlock_detected
    "25006": Trouble.STALE,  # read_only_sql_transaction: a writer that became a reader
    "26000": Trouble.STALE,  # invalid_sql_statement_name: psycopg's prepared statement is not in this session
    "42P05": Trouble.STALE,  # duplicate_prepared_statement
    "25P03": Trouble.LOST,  # idle_in_transaction_session_timeout
    "25P04": Trouble.LOST,  # transaction_timeout
    "53300": Trouble.FULL,  # too_many_connections
    "28000": Trouble.LOGIN,
    "28P01": Trouble.LOGIN,
    "57P01": Trouble.LOST,  # admin_shutdown: pg_terminate_backend
    "57P02": Trouble.LOST,  # crash_shutdown
    "57P03": Trouble.PASSING,  # cannot_connect_now
    "57P05": Trouble.LOST,  # idle_session_timeout
}
_PLAN_CHANGED = "cached plan must not change result type"

_FULL = ("too many clients", "too many connections", "remaining connection slots", "53300")
# PgBouncer says SASL
_LOGIN = tuple(f"{method} authentication failed" for method in ("password", "pam", "sasl", "ldap", "radius"))
_LASTING = (
    "does not exist",
    "no such database",  # PgBouncer's words for it
    "no such user",
    "pg_hba.conf",
    "is not permitted to log in",
    "not currently accepting connections",
    "cannot connect to invalid database",
    "permission denied for database",
    "does not match host name",
    "certificate authentication failed",
    "requires a valid client certificate",
    "no password supplied",
    # of libpq's own files: not there, not readable, not a pair
    "certificate file",
    "private key file",
    "channel binding required",
    "authentication method requirement",
    "server does not support ssl",
    "sslcertmode value",
    "protocol version",
    "invalid connection option",
    # libpq, before it connects
    "connection is bad: invalid",
    "connection is bad: weak",
    "invalid integer value",
    "unrecognized configuration parameter",
    "unsupported startup parameter",
    "invalid value for parameter",
    "invalid port number",
)
# psycopg's words for an error of PQconnectPoll
_CONNECTING = ("connection failed", "connection is bad", "could not be resolved", "did not answer")


def trouble_of(error: BaseException) -> Trouble:
    """Tell what an error of psycopg's means."""
    if not isinstance(error, psycopg.Error):
        return Trouble.LASTING
    if error.sqlstate is not None:
        if error.sqlstate == "0A000" and _PLAN_CHANGED in str(error):
            return Trouble.STALE
        return _STATES.get(error.sqlstate, Trouble.LOST if error.sqlstate.startswith("08") else Trouble.LASTING)
    if not isinstance(error, psycopg.OperationalError) or is_refused_in_tls(error):
        return Trouble.LASTING
    text = str(error).lower()
    for trouble, words in ((Trouble.FULL, _FULL), (Trouble.LOGIN, _LOGIN), (Trouble.LASTING, _LASTING)):
        if any(word in text for word in words):
            return trouble
    return Trouble.PASSING if text.startswith(_CONNECTING) else Trouble.LOST
