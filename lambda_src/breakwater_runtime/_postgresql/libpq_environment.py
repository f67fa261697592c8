"""libpq's own sources of parameters: variables of the environment, a service file, files in the home directory.

libpq fills in from them what a connection string leaves out (PostgreSQL documentation, "Environment Variables", "The
Password File", "The Connection Service File"). Where to connect, as whom and how the server is verified is said by the
settings alone, so each such parameter is given. What a session begins with is the function's own affair: PGOPTIONS,
PGAPPNAME, PGCLIENTENCODING, PGTZ, PGDATESTYLE and PGGEQO hold as with psycopg itself.
"""

from __future__ import annotations

import os
from functools import cache

from psycopg.pq import Conninfo

from breakwater_runtime.errors import ConfigurationError

_OF_THE_SESSION = ("application_name", "client_encoding", "options")
# has no effect here; only asks for more; is negotiated; is refused
_HARMLESS = ("connect_timeout", "require_auth", "max_protocol_version", "service")
# where neither libpq's default nor an empty text stands for "none"
_NONE = {"min_protocol_version": "3.0", "passfile": "/dev/null/none", "sslcertmode": "disable"}


@cache
def independent() -> dict[str, str]:
    """Return a value for each parameter that libpq would take from elsewhere."""
    kept = _OF_THE_SESSION + _HARMLESS
    defaults = {one.keyword.decode(): (one.compiled or b"").decode() for one in Conninfo.get_defaults() if one.envvar}
    return {name: _NONE.get(name, value) for name, value in defaults.items() if name not in kept}


def refuse_service() -> None:
    """Refuse a connection service, whose parameters can't all be overruled.

    Raises
    ------
    ConfigurationError
        The environment names one.
    """
    if service := os.environ.get("PGSERVICE"):
        raise ConfigurationError(
            f"PGSERVICE is {service!r}, and libpq would connect by that service's parameters. Unset it: where to "
            "connect and as whom, settings and secret say."
        )
