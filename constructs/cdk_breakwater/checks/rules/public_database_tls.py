"""A database that anyone can reach refuses plain text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...limits.engines import DatabaseEngine
from ..answers import ABSENT, Unknown
from ..network import network_of
from ..rule import Finding, Rule, Severity
from ..server_limit import parameter, version
from ..servers import server_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..resource import Resource
    from ..servers import Server

# The parameter, and the first version in which it is on by default (None: in no version). Source: Amazon RDS and Aurora
# User Guides, "Requiring SSL/TLS" per engine; "Comparing Aurora MySQL version 3 and Aurora MySQL version 8.4".
_PARAMETERS: dict[DatabaseEngine | None, tuple[str, tuple[int, ...] | None]] = {
    DatabaseEngine.MYSQL: ("require_secure_transport", (9, 7)),
    DatabaseEngine.MARIADB: ("require_secure_transport", (11, 8)),
    DatabaseEngine.POSTGRESQL: ("rds.force_ssl", (15,)),
    DatabaseEngine.AURORA_MYSQL: ("require_secure_transport", (8, 4)),
    DatabaseEngine.AURORA_POSTGRESQL: ("rds.force_ssl", (17,)),
    DatabaseEngine.SQL_SERVER: ("rds.force_ssl", None),
}
# Of these, what no template names is a version before: what RDS takes by default is.
_OFF_BY_DEFAULT = (DatabaseEngine.MYSQL, DatabaseEngine.AURORA_MYSQL)
_ON = ("1", "on", "true")


def check(resource: Resource) -> Iterator[Finding]:
    """Find a public database that accepts connections without TLS."""
    server = server_of(resource)
    if server is None or server.engine not in _PARAMETERS:
        return
    public = [member for member in server.members if member.flag("PubliclyAccessible") is True]
    if not public or network_of(resource.template.assembly).only_private(server.groups):
        return
    name, on_since = _PARAMETERS[server.engine]
    if _enforced(server, name, on_since) is False:
        yield Finding(
            resource,
            "Properties.PubliclyAccessible",
            f"{resource.name} is publicly accessible, and {name} is not set.",
            found="PubliclyAccessible",
            needed=f"{name} = 1",
            others=tuple(public),
        )


def _enforced(server: Server, name: str, on_since: tuple[int, ...] | None) -> bool | None:
    value = parameter(server, name)
    if isinstance(value, Unknown):
        return None
    if value is not ABSENT:
        return value.lower() in _ON
    if on_since is None:
        return False
    known = version(server)
    if known is None:
        return False if server.engine in _OFF_BY_DEFAULT else None
    return known >= on_since


RULE = Rule(
    id="PublicDatabaseTls",
    requires="A publicly accessible database enforces TLS.",
    reason="Otherwise, passwords and rows cross the internet in plain text whenever a client doesn't ask for TLS.",
    fix="In the parameter group, set require_secure_transport (MySQL, MariaDB) or rds.force_ssl (PostgreSQL, SQL "
    "Server) to 1. Or set PubliclyAccessible to false.",
    link="https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html",
    severity=Severity.DATABASE,
    of=("AWS::RDS::DBCluster", "AWS::RDS::DBInstance"),
    check=check,
)
