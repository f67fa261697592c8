"""A database that anyone can reach refuses plain text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...limits.engines import DatabaseEngine
from ..database import Database, databases
from ..rule import Finding, Rule
from ..template import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..assembly import Assembly

# The parameter, and the first version in which it is on by default (None: in no version). Source: Amazon RDS and Aurora
# User Guides, "Requiring SSL/TLS" per engine.
_PARAMETERS: dict[DatabaseEngine, tuple[str, tuple[int, ...] | None]] = {
    DatabaseEngine.MYSQL: ("require_secure_transport", None),
    DatabaseEngine.MARIADB: ("require_secure_transport", (11, 8)),
    DatabaseEngine.POSTGRESQL: ("rds.force_ssl", (15,)),
    DatabaseEngine.AURORA_MYSQL: ("require_secure_transport", None),
    DatabaseEngine.AURORA_POSTGRESQL: ("rds.force_ssl", (17,)),
    DatabaseEngine.SQL_SERVER: ("rds.force_ssl", None),
}
_ON = ("1", "on", "true")


def check(assembly: Assembly) -> Iterator[Finding]:
    """Find public databases that accept connections without TLS."""
    for database in databases(assembly):
        public = [s for s in (database.resource, *database.instances) if s.get("PubliclyAccessible") in (True, "true")]
        if public and database.engine in _PARAMETERS:
            parameter, on_since = _PARAMETERS[database.engine]
            if _enforced(database, parameter, on_since) is False:
                problem = f"{database.resource.name} is publicly accessible, and {parameter} is not set."
                yield Finding(database.resource, "Properties.PubliclyAccessible", problem)


def _enforced(database: Database, parameter: str, on_since: tuple[int, ...] | None) -> bool | None:
    value = database.parameter(parameter)
    if value is UNKNOWN:
        return None
    if value is not None:
        return str(value).lower() in _ON
    if on_since is None:
        return False
    return None if database.version is None else database.version >= on_since


RULE = Rule(
    id="PublicDatabaseTls",
    requires="A publicly accessible database enforces TLS.",
    reason="Passwords and rows otherwise cross the internet in plain text whenever a client doesn't ask for TLS.",
    fix="Set require_secure_transport (MySQL, MariaDB) or rds.force_ssl (PostgreSQL, SQL Server) to 1 in the parameter "
    "group, or PubliclyAccessible to false.",
    link="https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html",
    check=check,
)
