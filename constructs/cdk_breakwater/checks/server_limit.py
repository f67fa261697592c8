"""How many connections a server allows, as far as templates tell."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from ..limits.engines import DatabaseEngine
from ..limits.max_connections import (
    MaxConnections,
    UnknownMaxConnections,
    for_instance_class,
    for_serverless_v2,
    from_parameter,
    parameter_name,
)
from ..limits.service_limits import for_documentdb_serverless
from .answers import ABSENT, Absent, Unknown, parameter_of

if TYPE_CHECKING:
    from .servers import Server


class ServerLimit(NamedTuple):
    """What functions get of a server.

    Attributes
    ----------
    limit
        Its ``max_connections``.
    usable
        What is left of it for functions.
    parameters
        The parameters on whose defaults it rests.
    """

    limit: MaxConnections
    usable: int
    parameters: tuple[str, ...]


class DeployedServer(NamedTuple):
    """What the account says of a database or of one of its instances.

    Attributes
    ----------
    instance_class
        Its class; None for a cluster whose instances have theirs.
    value
        Of the parameter that limits connections, as its group has it; None where that is the engine's own default.
    """

    instance_class: str | None
    value: str | None


def limiting_parameter(server: Server) -> str:
    """Name the parameter that limits a database's connections; empty where the engine is not known."""
    return parameter_name(server.engine) if server.engine is not None else ""


def is_told(server: Server) -> bool:
    """Tell whether the templates say on what a database's limit rests."""
    value = parameter(server, limiting_parameter(server))
    return not isinstance(value, Unknown) and all(isinstance(class_, str) for _, class_ in server.classes)


def version(server: Server) -> tuple[int, ...] | None:
    """Give the engine's version, as far as it is a number."""
    text = server.resource.text("EngineVersion")
    if not isinstance(text, str):
        return None
    return tuple(int(part) for part in text.split(".") if part.isdecimal()) or None


def parameter(server: Server, name: str) -> str | Absent | Unknown:
    """Give the value of a parameter, the instance's before the cluster's; unknown where a group is elsewhere."""
    groups = [(instance, "DBParameterGroupName") for instance in server.instances]
    groups += [(server.resource, name) for name in ("DBClusterParameterGroupName", "DBInstanceParameterGroupName")]
    of = ("AWS::RDS::DBParameterGroup", "AWS::RDS::DBClusterParameterGroup")
    for resource, property_ in groups:
        group = resource.target(property_, of=of)
        given = resource.get(property_)
        if group is None and given is not ABSENT and not str(given).startswith("default."):
            return Unknown()
        value = group.text("Parameters", name) if group is not None else ABSENT
        if value is not ABSENT:
            return value
    return ABSENT


def server_limit(server: Server) -> ServerLimit | None:
    """Find the limit of its largest instance, None where the templates don't tell."""
    cached = server.resource.template.assembly.choices.cached
    return cached(("limit", server.resource), lambda: _server_limit(server))


def _server_limit(server: Server) -> ServerLimit | None:
    engine = server.engine
    if engine is None or not server.classes:
        return None
    given = parameter(server, parameter_name(engine))
    found: list[MaxConnections] = []
    based_on: set[str | None] = {parameter_of(given)}
    deployed = server.resource.template.assembly.deployed
    for instance, told in server.classes:
        known = deployed.get(instance)
        class_ = known.instance_class if known is not None and not isinstance(told, str) else told
        value: str | Absent | Unknown = given
        if isinstance(given, Unknown):
            # The instance's group goes before the cluster's.
            values = [each.value for each in (known, deployed.get(server.resource)) if each is not None]
            if not values:
                return None
            value = next((each for each in values if each is not None), ABSENT)
        try:
            if isinstance(value, str):
                found.append(from_parameter(engine, value, class_ if isinstance(class_, str) else None))
            elif not isinstance(class_, str):
                return None
            elif class_ == "db.serverless":
                found.append(_serverless_v2(server, engine))
            else:
                found.append(for_instance_class(engine, class_, ".".join(map(str, version(server) or ()))))
        except UnknownMaxConnections:
            return None
        if value is not given:
            found[-1] = replace(found[-1], basis=f"{found[-1].basis}, by the account", stated=False)
        based_on.add(parameter_of(told))
    limit = max(found, key=lambda each: each.value)
    usable = max(0, limit.value - engine.reserved_connections)
    return ServerLimit(limit, usable, tuple(sorted(filter(None, based_on))))


def _serverless_v2(server: Server, engine: DatabaseEngine) -> MaxConnections:
    maximum, minimum = (
        server.resource.limit("ServerlessV2ScalingConfiguration", name) for name in ("MaxCapacity", "MinCapacity")
    )
    if engine is DatabaseEngine.DOCUMENTDB:
        if isinstance(minimum, Unknown | Absent):
            raise UnknownMaxConnections("The minimum capacity is not in the template.")
        return for_documentdb_serverless(minimum)
    if isinstance(maximum, Unknown | Absent):
        raise UnknownMaxConnections("The maximum capacity is not in the template.")
    return for_serverless_v2(engine, maximum, None if isinstance(minimum, Unknown | Absent) else minimum)
