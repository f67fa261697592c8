"""What the errors of MySQL, MariaDB and their Python drivers mean."""

from __future__ import annotations

from pymysql.err import Error, InterfaceError

from breakwater_runtime._core.trouble import Trouble, is_refused_in_tls

# MySQL Reference Manual, "Server Error Message Reference" and "Client Error Message Reference"; MariaDB documentation,
# "MariaDB Error Code Reference"
_TROUBLES = {
    Trouble.FULL: (
        1040,  # ER_CON_COUNT_ERROR
        1203,  # ER_TOO_MANY_USER_CONNECTIONS
        1226,  # ER_USER_LIMIT_REACHED: max_user_connections of the account; see trouble_of()
    ),
    Trouble.LOGIN: (
        1045,  # ER_ACCESS_DENIED_ERROR
        1698,  # ER_ACCESS_DENIED_NO_PASSWORD_ERROR
    ),
    Trouble.PASSING: (
        1053,  # ER_SERVER_SHUTDOWN
        1152,  # ER_ABORTING_CONNECTION
        1158, 1159, 1160, 1161,  # ER_NET_*: read and write errors and interruptions
        2002, 2003,  # CR_CONNECTION_ERROR, CR_CONN_HOST_ERROR: refused, unreachable, unknown host, timeout
    ),
    Trouble.LOST: (
        1927,  # MariaDB's ER_CONNECTION_KILLED
        2006, 2013,  # CR_SERVER_GONE_ERROR, CR_SERVER_LOST
        4031,  # MySQL's ER_CLIENT_INTERACTION_TIMEOUT
    ),
    Trouble.CONFLICT: (
        1020,  # ER_CHECKREAD: MariaDB's innodb_snapshot_isolation
        1213,  # ER_LOCK_DEADLOCK
        3101,  # ER_TRANSACTION_ROLLBACK_DURING_COMMIT: group replication
    ),
    # A writer that became a reader: AWS, "Best practices with Aurora MySQL", names 1290
    Trouble.STALE: (
        1290,  # ER_OPTION_PREVENTS_STATEMENT: --read-only, and whatever else an option forbids
        1836,  # ER_READ_ONLY_MODE
    ),
}  # fmt: skip
_BY_CODE = {code: trouble for trouble, codes in _TROUBLES.items() for code in codes}


def code_of(error: BaseException) -> int | None:
    """Return an error's number."""
    return error.args[0] if error.args and isinstance(error.args[0], int) else None


def trouble_of(error: BaseException) -> Trouble:
    """Tell what an error means."""
    if isinstance(error, OSError) or not isinstance(error, Error):
        return Trouble.LASTING
    if is_refused_in_tls(error):
        return Trouble.LASTING
    code = code_of(error)
    if code == 1226 and "max_user_connections" not in str(error):
        # max_queries_per_hour and its like don't pass within an invocation
        return Trouble.LASTING
    if code == 1290 and "read-only" not in str(error) and "read_only" not in str(error):
        return Trouble.LASTING
    if code == 0 and isinstance(error, InterfaceError):
        return Trouble.LOST
    return _BY_CODE.get(code, Trouble.LASTING) if code is not None else Trouble.LASTING
