"""The options of psycopg's and libpq's own connect: joined with the runtime's, or refused with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.pq import Conninfo

from breakwater_runtime._core.options import LOGIN, VERIFIED, refuse
from breakwater_runtime.errors import ConfigurationError

if TYPE_CHECKING:
    from breakwater_runtime.environment import Settings

PSYCOPGS_OWN = ("context", "cursor_factory", "prepare_threshold", "row_factory")
"""What psycopg's connect takes beside libpq's parameters."""
_REFUSED = (
    dict.fromkeys(("conninfo", "hostaddr", "passfile", "service", "scram_client_key", "scram_server_key"), LOGIN)
    | dict.fromkeys(("oauth_issuer", "oauth_client_id", "oauth_client_secret", "oauth_scope"), LOGIN)
    | dict.fromkeys(("load_balance_hosts", "target_session_attrs"), "Each address of the name is tried by itself.")
    | {
        "dbname": "It is the argument database= of database().",
        "replication": "Such a session knows no transactions.",
        "requirepeer": "It is for sockets of Unix.",
        "sslkeylogfile": "Whoever reads that file reads the connection.",
        "sslrootcert": VERIFIED,
    }
)


def check(options: dict[str, Any], settings: Settings) -> None:
    """Refuse the options that the runtime can't keep its promises with.

    Raises
    ------
    ConfigurationError
        With the reason.
    """
    if not options:
        return
    libpqs = {option.keyword.decode() for option in Conninfo.get_defaults()}
    refuse("psycopg", options, _REFUSED, libpqs.union(PSYCOPGS_OWN))
    # GSSAPI's encryption would come before TLS
    only = {"sslmode": "verify-full" if settings.tls_ca else "disable", "gssencmode": "disable"}
    for name, value in only.items():
        if options.get(name, value) != value:
            raise ConfigurationError(f"{name} is {options[name]!r}. {VERIFIED}")
    # libpq would take the other one from ~/.postgresql
    pair = [name for name in ("sslcert", "sslkey") if name in options]
    if len(pair) == 1 or (not pair and options.get("sslcertmode", "disable") != "disable"):
        raise ConfigurationError("A client's certificate needs both, sslcert and sslkey.")
    if settings.proxy and options.get("prepare_threshold") is not None:
        raise ConfigurationError("prepare_threshold is no option behind a proxy. What is prepared pins its session.")
