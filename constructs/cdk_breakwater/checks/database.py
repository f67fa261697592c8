"""Databases in templates, and how many connections they allow."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from ..limits.engines import DatabaseEngine
from ..limits.max_connections import (
    MaxConnections,
    UnknownMaxConnections,
    for_instance_class,
    for_serverless_v2,
    from_parameter,
)
from .template import UNKNOWN

if TYPE_CHECKING:
    from .assembly import Assembly
    from .template import Resource

_CLUSTERS = ("AWS::RDS::DBCluster", "AWS::DocDB::DBCluster")
_INSTANCES = ("AWS::RDS::DBInstance", "AWS::DocDB::DBInstance")
_SECURITY_GROUPS = ("VPCSecurityGroups", "VpcSecurityGroupIds", "VpcSecurityGroupIDs")
_PARAMETER = {DatabaseEngine.ORACLE: "processes", DatabaseEngine.SQL_SERVER: "user connections"}


class Database:
    """An instance or a cluster, with everything that stands for it in a template.

    Parameters
    ----------
    resource
        The instance, or the cluster.
    instances
        The cluster's instances, or the instance itself.
    """

    def __init__(self, resource: Resource, instances: list[Resource]) -> None:
        self.resource = resource
        self.instances = instances
        self.servers = {resource, *instances}
        self.secrets: set[Resource] = {
            reference.resource
            for property_ in ("MasterUserPassword", "MasterUserSecret")
            for reference in resource.references(property_)
        }
        self.proxies: set[Resource] = set()
        self.security_groups = security_groups(resource)
        self.proxy_security_groups: set[Resource] = set()

    @property
    def engine(self) -> DatabaseEngine | None:
        """The engine, None where the templates don't tell."""
        name = str(self.resource.get("Engine") or "")
        if self.resource.type.startswith("AWS::DocDB::"):
            return DatabaseEngine.DOCUMENTDB
        if name.startswith(("oracle-", "sqlserver-")):
            name = name.partition("-")[0]  # what follows is the edition
        return next((engine for engine in DatabaseEngine if engine.value == name), None)

    @property
    def version(self) -> tuple[int, ...] | None:
        """The engine's version, as far as it is a number."""
        text = self.resource.get("EngineVersion")
        if not isinstance(text, str | int | float):
            return None
        return tuple(int(part) for part in str(text).split(".") if part.isdigit()) or None

    def parameter(self, name: str) -> Any:
        """Give the value of a parameter, the instance's before the cluster's.

        Returns
        -------
        Any
            The value; None where nothing sets it; `UNKNOWN` where a group is not in the templates.
        """
        groups = [(instance, "DBParameterGroupName") for instance in self.instances]
        for resource, property_ in [*groups, (self.resource, "DBClusterParameterGroupName")]:
            group = resource.target(property_)
            value = group.get("Parameters", name) if group else resource.get(property_)
            if group and value is not None:
                return value
            if not group and value is not None and not str(value).startswith("default."):
                return UNKNOWN
        return None

    def max_connections(self) -> MaxConnections | None:
        """Find the limit of its largest instance, None where the templates don't tell."""
        engine = self.engine
        if engine is None:
            return None
        value = self.parameter(_PARAMETER.get(engine, "max_connections"))
        found = []
        for instance in self.instances:
            class_ = instance.get("DBInstanceClass")
            try:
                if isinstance(value, str | int | float):
                    found.append(from_parameter(engine, str(value), class_ if isinstance(class_, str) else None))
                elif value is None and class_ == "db.serverless":
                    found.append(self._serverless_v2(engine))
                elif value is None and isinstance(class_, str):
                    version = ".".join(map(str, self.version or ()))
                    found.append(for_instance_class(engine, class_, version))
            except UnknownMaxConnections:
                return None
        return max(found, key=lambda limit: limit.value) if found and len(found) == len(self.instances) else None

    def _serverless_v2(self, engine: DatabaseEngine) -> MaxConnections:
        maximum, minimum = (
            self.resource.number("ServerlessV2ScalingConfiguration", name) for name in ("MaxCapacity", "MinCapacity")
        )
        if maximum is None:
            raise UnknownMaxConnections("The maximum capacity is not in the template.")
        return for_serverless_v2(engine, maximum, minimum)


def databases(assembly: Assembly) -> list[Database]:
    """Give the databases of RDS and DocumentDB, with their secrets and proxies."""
    members: defaultdict[Resource, list[Resource]] = defaultdict(list)
    alone = []
    for instance in assembly.resources(*_INSTANCES):
        if instance.get("DBClusterIdentifier") is None:
            alone.append(Database(instance, [instance]))
        elif cluster := instance.target("DBClusterIdentifier"):
            members[cluster].append(instance)
    found = [*(Database(cluster, members[cluster]) for cluster in assembly.resources(*_CLUSTERS)), *alone]
    for database in found:
        for attachment in assembly.resources("AWS::SecretsManager::SecretTargetAttachment"):
            if attachment.target("TargetId") in database.servers:
                database.secrets |= {attachment, *filter(None, [attachment.target("SecretId")])}
        for group in assembly.resources("AWS::RDS::DBProxyTargetGroup"):
            targets = [*group.targets("DBClusterIdentifiers"), *group.targets("DBInstanceIdentifiers")]
            proxy = group.target("DBProxyName")
            if proxy and database.servers.intersection(targets):
                database.proxies.add(proxy)
                database.proxy_security_groups |= security_groups(proxy)
    return found


def security_groups(resource: Resource) -> set[Resource]:
    """Give the security groups of a database or a proxy."""
    return {group for property_ in _SECURITY_GROUPS for group in resource.targets(property_)}
