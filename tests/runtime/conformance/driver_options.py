"""Each keyword that each SQL driver's connect accepts: kept with this value, or refused.

A keyword without a verdict fails test_options.py: a new release of a driver has brought it.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import aiomysql
import psycopg
import pymysql
from psycopg.rows import dict_row
from pymysql.constants import CLIENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from servers import Certificate, Certificates


@dataclass(frozen=True)
class Kept:
    """An option that reaches the driver.

    Attributes
    ----------
    value
        What is given.
    question, answer
        A statement by which the server tells that the option is in force, in every block.
    of_driver
        The same, told by the driver's connection.
    tls
        It means something in TLS alone.
    also
        What is given with it.
    error
        What it makes of the tests' server.
    """

    value: Any
    question: str = ""
    answer: str = ""
    of_driver: Callable[[Any], bool] = bool
    tls: bool = False
    also: dict[str, Any] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True)
class Refused:
    """An option that is an error at once, with each of these values."""

    values: tuple[Any, ...] = (True,)


_REFUSED = Refused()
NOT_BY_SQLALCHEMY = Refused(())
"""Its dialects take tuples alone, and say so in their way."""
# Given to database() itself
ARGUMENTS = frozenset(("host", "port", "user", "password", "database", "autocommit"))

_MYSQL: dict[str, Kept | Refused] = {
    "charset": Kept("latin1", "SELECT @@character_set_client", "latin1"),
    "sql_mode": Kept("ANSI_QUOTES", "SELECT @@sql_mode", "ANSI_QUOTES"),
    # without decoders each value is a text, in the answers to the runtime's own questions, too
    "conv": Kept({}, of_driver=lambda raw: not raw.decoders),
    "use_unicode": Kept(False, of_driver=lambda raw: not raw.use_unicode),
    # as a flag of the login it is gone after a reset, unless somebody thinks of it
    "client_flag": Kept(CLIENT.IGNORE_SPACE, "SELECT COUNT (*) FROM outcome", "0"),
    "init_command": Kept("SET SESSION time_zone='+03:00', autocommit=0", "SELECT @@time_zone", "+03:00"),
    "connect_timeout": Kept(3),
    "local_infile": Kept(True, of_driver=lambda raw: raw._local_infile),
    "program_name": Kept("shop", of_driver=lambda raw: raw._connect_attrs["program_name"] == "shop"),
    "server_public_key": Kept(b"-----BEGIN PUBLIC KEY-----", of_driver=lambda raw: raw.server_public_key),
} | dict.fromkeys(("db", "ssl", "unix_socket", "read_default_file", "read_default_group"), _REFUSED)  # fmt: skip


def _mysql_tls(own: Certificate) -> dict[str, Kept | Refused]:
    """Return those of a client's certificate, which aiomysql gets as a context."""
    given = {"ssl_cert": str(own.certificate), "ssl_key": str(own.key), "ssl_key_password": "unused"}
    return {name: Kept(value, tls=True, also=given | {name: value}) for name, value in given.items()}


_PYMYSQL = (
    _MYSQL
    | {
        "collation": Kept("utf8mb4_bin", "SELECT @@collation_connection", "utf8mb4_bin"),
        "cursorclass": Kept(
            pymysql.cursors.DictCursor, of_driver=lambda raw: raw.cursorclass is pymysql.cursors.DictCursor
        ),
        "max_allowed_packet": Kept(1 << 20, of_driver=lambda raw: raw.max_allowed_packet == 1 << 20),
        "auth_plugin_map": Kept({"dialog": None}, of_driver=lambda raw: "dialog" in raw._auth_plugin_map),
        "read_timeout": Kept(5),
        "write_timeout": Kept(5),
        "bind_address": Kept("127.0.0.1", "SELECT SUBSTRING_INDEX(USER(), '@', -1)", "127.0.0.1"),
        "binary_prefix": Kept(True),
    }
    | dict.fromkeys(("ssl_ca", "ssl_disabled", "ssl_verify_cert", "ssl_verify_identity"), _REFUSED)
    | dict.fromkeys(("defer_connect", "passwd"), _REFUSED)
    | dict.fromkeys(("compress", "named_pipe"), _REFUSED)
)
_AIOMYSQL = (
    _MYSQL
    | {
        "cursorclass": Kept(aiomysql.DictCursor, of_driver=lambda raw: raw.cursorclass is aiomysql.DictCursor),
        "echo": Kept(True, of_driver=lambda raw: raw.echo),
        "auth_plugin": Kept("mysql_native_password"),
        "loop": _REFUSED,
    }
    # PyMySQL's, which aiomysql hasn't; a charset's collation is told by the runtime
    | dict.fromkeys(("read_timeout", "write_timeout", "bind_address", "max_allowed_packet"), _REFUSED)
    | {"collation": _PYMYSQL["collation"]}
)

_SCHEMES = ("allow", "prefer", "require", "verify-ca", "nonsense")


def _psycopg(certificates: Certificates, *, event_loop: bool) -> dict[str, Kept | Refused]:
    cursor = psycopg.AsyncClientCursor if event_loop else psycopg.ClientCursor
    own = certificates.client
    return (
        {
            "prepare_threshold": Kept(None, of_driver=lambda raw: raw.prepare_threshold is None),
            "context": Kept(_context(), of_driver=lambda raw: raw.adapters.types["shop"].oid == 1),
            "row_factory": Kept(dict_row, of_driver=lambda raw: raw.row_factory is dict_row),
            "cursor_factory": Kept(cursor, of_driver=lambda raw: issubclass(raw.cursor_factory, cursor)),
            "channel_binding": Kept("prefer"),
            "connect_timeout": Kept("3"),
            "client_encoding": Kept("LATIN1", "SHOW client_encoding", "LATIN1"),
            "options": Kept("-c timezone=Asia/Kathmandu -c statement_timeout=0", "SHOW timezone", "Asia/Kathmandu"),
            "application_name": Kept("shop", "SHOW application_name", "shop"),
            "fallback_application_name": Kept("shop", "SHOW application_name", "shop"),
            "keepalives": Kept(0),
            "keepalives_idle": Kept(5),
            "keepalives_interval": Kept(5),
            "keepalives_count": Kept(2),
            "tcp_user_timeout": Kept(5000),
            "min_protocol_version": Kept("3.0"),
            "max_protocol_version": Kept("3.0"),
            "require_auth": Kept("scram-sha-256,none"),
            "krbsrvname": Kept("postgres"),
            "gsslib": Kept("gssapi"),
            "gssdelegation": Kept("0"),
            "gssencmode": Refused(("prefer", "require", "nonsense")),
            "sslmode": Refused(_SCHEMES),
            "sslnegotiation": Kept("direct", tls=True),
            "sslcompression": Kept(0, tls=True),
            "sslcertmode": Kept("disable", tls=True),
            "sslcert": Kept(str(own.certificate), tls=True, also={"sslkey": str(own.key)}),
            "sslkey": Kept(str(own.key), tls=True, also={"sslcert": str(own.certificate)}),
            "sslpassword": Kept("unused", tls=True),
            "sslcrl": Kept("/nowhere.crl", tls=True),
            "sslcrldir": Kept("/nowhere", tls=True, error="certificate verify failed"),
            "sslsni": Kept("0", tls=True),
            "ssl_min_protocol_version": Kept(
                "TLSv1.2", "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()", "TLSv1.3", tls=True
            ),
            "ssl_max_protocol_version": Kept(
                "TLSv1.2", "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()", "TLSv1.2", tls=True
            ),
        }
        | dict.fromkeys(("conninfo", "service", "passfile", "dbname", "hostaddr"), _REFUSED)
        | dict.fromkeys(("sslrootcert", "sslkeylogfile", "requirepeer", "replication"), _REFUSED)
        | dict.fromkeys(("target_session_attrs", "load_balance_hosts"), _REFUSED)
        | dict.fromkeys(("scram_client_key", "scram_server_key"), _REFUSED)
        | dict.fromkeys(("oauth_issuer", "oauth_client_id", "oauth_client_secret", "oauth_scope"), _REFUSED)
    )


def _context() -> Any:
    adapters = psycopg.adapt.AdaptersMap(psycopg.adapters)
    adapters.types.add(psycopg.types.TypeInfo("shop", oid=1, array_oid=0))
    return SimpleNamespace(adapters=adapters, connection=None)


def accepted(client: str) -> set[str]:
    """Ask a client's driver for the keywords of its connect."""
    if "PyMySQL" in client:
        return _parameters(pymysql.connections.Connection.__init__)
    if client == "aiomysql":
        return _parameters(aiomysql.connect) | _parameters(aiomysql.Connection.__init__)
    libpq = {option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults()}
    connect = psycopg.AsyncConnection.connect if "async" in client else psycopg.Connection.connect
    return libpq | _parameters(connect)


def _parameters(function: Any) -> set[str]:
    return set(inspect.signature(function).parameters) - {"self", "kwargs"}


def verdicts(client: str, certificates: Certificates) -> dict[str, Kept | Refused]:
    """Return what becomes of each of them."""
    if "psycopg" in client:
        known = _psycopg(certificates, event_loop="async" in client)
    else:
        known = (_AIOMYSQL if client == "aiomysql" else _PYMYSQL) | _mysql_tls(certificates.client)
    if "SQLAlchemy" not in client:
        return known
    return known | dict.fromkeys(known.keys() & {"cursorclass", "row_factory"}, NOT_BY_SQLALCHEMY)
