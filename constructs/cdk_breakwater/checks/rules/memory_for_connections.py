"""A server has the memory for the connections that it lets in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...limits.max_connections import (
    UnknownMaxConnections,
    for_instance_class,
    from_parameter,
    most_for_instance_class,
    parameter_name,
)
from ..rule import Finding, Rule, Severity
from ..server_limit import parameter, version
from ..servers import server_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..resource import Resource

# Somewhat more than the default is right where connections hold little; twice as many is a mistake.
_TOLERANCE = 2


def check(resource: Resource) -> Iterator[Finding]:
    """Compare max_connections in the parameter group with the default of the class."""
    server = server_of(resource)
    if server is None or server.engine is None:
        return
    given = parameter(server, parameter_name(server.engine))
    if not isinstance(given, str):
        return
    for instance, class_ in server.classes:
        if not isinstance(class_, str) or class_ == "db.serverless":
            continue
        try:
            most = from_parameter(server.engine, given, class_)
            # A formula was evaluated with memory that is estimated from below; a number has all of the class's.
            for_class = for_instance_class if most.estimated else most_for_instance_class
            default = for_class(server.engine, class_, ".".join(map(str, version(server) or ()))).value
        except UnknownMaxConnections:
            continue
        if most.value > _TOLERANCE * default:
            yield Finding(
                resource,
                "Properties.DBInstanceClass",
                f"{resource.name} lets in {most.value} connections; {class_} has the memory for about {default}.",
                found=f"max_connections {given}",
                needed=f"about {default}",
                others=(instance,),
                based_on=(given, class_),
            )
            return


RULE = Rule(
    id="MemoryForConnections",
    requires="max_connections in a parameter group is at most twice the default of the instance class.",
    reason="Each connection takes memory. Before the server reaches the limit, it swaps, or is killed because it "
    "runs out of memory.",
    fix="Lower max_connections, or choose an instance class with more memory.",
    link="https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html",
    severity=Severity.DATABASE,
    of=("AWS::RDS::DBInstance", "AWS::RDS::DBCluster"),
    check=check,
)
