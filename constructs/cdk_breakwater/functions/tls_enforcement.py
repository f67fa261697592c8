"""Making a database of RDS refuse connections without TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from aws_cdk import aws_rds as rds

from .._cdk.rendered import rendered
from ..downstreams.parameter_groups import parameter_group
from ..errors import BreakwaterError
from ..limits.engines import DatabaseEngine

if TYPE_CHECKING:
    from constructs import Construct

    from ..downstreams.rds import RdsDownstream

# Source: Amazon RDS and Aurora User Guides, "Requiring SSL/TLS for connections" per engine. Written as 1, since
# checkov's CKV2_AWS_69 does not understand ON.
_PARAMETERS = {
    DatabaseEngine.MYSQL: "require_secure_transport",
    DatabaseEngine.MARIADB: "require_secure_transport",
    DatabaseEngine.AURORA_MYSQL: "require_secure_transport",
    DatabaseEngine.POSTGRESQL: "rds.force_ssl",
    DatabaseEngine.AURORA_POSTGRESQL: "rds.force_ssl",
    DatabaseEngine.SQL_SERVER: "rds.force_ssl",
}
_SINCE = {DatabaseEngine.MYSQL: (5, 7), DatabaseEngine.MARIADB: (10, 5)}


def enforce_tls(downstream: RdsDownstream) -> None:
    """Set the engine's parameter in the database's parameter group, or in a new one where it has none.

    Raises
    ------
    BreakwaterError
        When the engine or its version cannot, or the parameter group is not part of this app.
    """
    engine, database = downstream.engine, downstream.database
    parameter = _PARAMETERS.get(engine)
    since = _SINCE.get(engine)
    version = downstream.engine_version
    if parameter is None or (since and version and _numbers(version) < since):
        raise BreakwaterError(
            database,
            f"{engine.value} {version or ''} has no parameter that enforces TLS.",
            "Use VpcDatabaseFunction, or an engine that has one: MySQL 5.7, MariaDB 10.5, PostgreSQL, SQL Server.",
        )
    resource = downstream.resource
    if resource is None:
        raise BreakwaterError(
            database,
            "it is imported, so its parameter group cannot be made to enforce TLS here.",
            f"Set {parameter}=1 where it is created, and describe it here with Downstream.endpoint(…).",
        )
    name, group = parameter_group(resource)
    if group is not None:
        _add(group, parameter)
    elif name is None or name.startswith("default."):
        own = rds.ParameterGroup(
            cast("Construct", database),
            "TlsParameters",
            engine=cast("rds.IEngine", database.engine),
            description=f"{parameter}=1",
            parameters={parameter: "1"},
        )
        if downstream.is_cluster:
            resource.db_cluster_parameter_group_name = own.bind_to_cluster().parameter_group_name
        else:
            resource.db_parameter_group_name = own.bind_to_instance().parameter_group_name
    else:
        raise BreakwaterError(
            database,
            f"its parameter group {name} is not part of this app, so TLS cannot be enforced in it.",
            f"Set {parameter}=1 there and describe the database with Downstream.endpoint(…), or create the group here.",
        )


def _add(group: Any, parameter: str) -> None:
    parameters = rendered(group, "Parameters").get("Parameters", {})
    if str(parameters.get(parameter, "1")).upper() in ("0", "OFF", "FALSE"):
        raise BreakwaterError(
            group,
            f"it sets {parameter}={parameters[parameter]}, and a public database must enforce TLS.",
            f"Remove it, or set {parameter}=1.",
        )
    owner = group.node.scope
    if isinstance(owner, rds.ParameterGroup):
        owner.add_parameter(parameter, "1")
    else:
        group.parameters = {**parameters, parameter: "1"}


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())
