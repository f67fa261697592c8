"""Databases and caches in templates, with everything that stands for them."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from ..limits.engines import DatabaseEngine
from .answers import ABSENT, Absent, Reference, Unknown
from .callers import mentions
from .network import Group, groups

if TYPE_CHECKING:
    from .assembly import Assembly
    from .resource import Resource


class _Kind(NamedTuple):
    """What a type of resource is.

    Attributes
    ----------
    noun
        What a reader calls it.
    writers, readers
        The attributes that are addresses to connect to.
    groups
        The property with its security groups.
    connect
        The IAM actions, in lower case, that log in to it.
    engine
        Its engine, where the type tells.
    port
        Its port, where neither engine nor template tells.
    cluster
        For an instance: the property that names its cluster.
    """

    noun: str
    writers: frozenset[str]
    readers: frozenset[str] = frozenset()
    groups: str = "VpcSecurityGroupIds"
    connect: tuple[str, ...] = ()
    engine: DatabaseEngine | None = None
    port: int | None = None
    cluster: str | None = None


def _set(*names: str) -> frozenset[str]:
    return frozenset(names)


_RDS = ("rds-db:connect",)
_NEPTUNE = ("neptune-db:connect", "neptune-db:readdataviaquery")
_KINDS = {
    "AWS::RDS::DBCluster": _Kind("database", _set("Endpoint.Address"), _set("ReadEndpoint.Address"), connect=_RDS),
    "AWS::RDS::DBInstance": _Kind(
        "database", _set("Endpoint.Address"), groups="VPCSecurityGroups", connect=_RDS, cluster="DBClusterIdentifier"
    ),
    "AWS::DocDB::DBCluster": _Kind(
        "database",
        _set("Endpoint"),
        _set("ReadEndpoint"),
        engine=DatabaseEngine.DOCUMENTDB,
        port=DatabaseEngine.DOCUMENTDB.default_port,
    ),
    "AWS::DocDB::DBInstance": _Kind("database", _set("Endpoint"), cluster="DBClusterIdentifier"),
    "AWS::DSQL::Cluster": _Kind(
        "database",
        _set("Endpoint"),
        connect=("dsql:dbconnect", "dsql:dbconnectadmin"),
        engine=DatabaseEngine.AURORA_DSQL,
    ),
    "AWS::Neptune::DBCluster": _Kind("database", _set("Endpoint"), _set("ReadEndpoint"), port=8182, connect=_NEPTUNE),
    "AWS::Neptune::DBInstance": _Kind("database", _set("Endpoint"), cluster="DBClusterIdentifier"),
    "AWS::Redshift::Cluster": _Kind("warehouse", _set("Endpoint.Address"), port=5439),
    "AWS::RedshiftServerless::Workgroup": _Kind(
        "warehouse", _set("Workgroup.Endpoint.Address"), groups="SecurityGroupIds", port=5439
    ),
    "AWS::ElastiCache::CacheCluster": _Kind(
        "cache", _set("RedisEndpoint.Address", "ConfigurationEndpoint.Address"), connect=("elasticache:connect",)
    ),
    "AWS::ElastiCache::ReplicationGroup": _Kind(
        "cache",
        _set("PrimaryEndPoint.Address", "ConfigurationEndPoint.Address"),
        _set("ReaderEndPoint.Address", "ReadEndPoint.Addresses"),
        groups="SecurityGroupIds",
        connect=("elasticache:connect",),
    ),
    "AWS::ElastiCache::ServerlessCache": _Kind(
        "cache",
        _set("Endpoint.Address"),
        _set("ReaderEndpoint.Address"),
        groups="SecurityGroupIds",
        connect=("elasticache:connect",),
    ),
    "AWS::MemoryDB::Cluster": _Kind(
        "cache", _set("ClusterEndpoint.Address"), groups="SecurityGroupIds", connect=("memorydb:connect",)
    ),
}
# One writer and two readers: Amazon RDS User Guide, "Multi-AZ DB cluster deployments".
_OF_A_MULTI_AZ_CLUSTER = 3
# Each secret property's attribute is a key or an ARN; only the latter is a way to the password.
_SECRETS = ("MasterUserPassword", "MasterUserSecret", "ManageMasterUserPassword")
SECRET_ATTRIBUTES = ("MasterUserSecret.SecretArn",)


class Server:
    """A database or a cache.

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
        self.members = {resource, *instances}
        self.kind = _KINDS[resource.type]
        self.secrets: set[Resource] = set()
        for property_ in _SECRETS:
            self.secrets |= {
                reference.resource
                for reference in resource.references(property_)
                if reference.resource.type.startswith("AWS::SecretsManager::")
            }
        self.proxies: list[Resource] = []
        self.proxy_groups: set[Group] = set()
        self.groups = groups(resource, self.kind.groups)
        for instance in instances:
            self.groups |= groups(instance, _KINDS[instance.type].groups)

    @property
    def name(self) -> str:
        """The name of its resource."""
        return self.resource.name

    @property
    def engine(self) -> DatabaseEngine | None:
        """The engine, None where the templates don't tell."""
        if self.kind.engine is not None:
            return self.kind.engine
        answer = self.resource.get("Engine")
        if answer is ABSENT and self.instances:
            answer = self.instances[0].get("Engine")
        name = str(answer).lower() if isinstance(answer, str) else ""
        if name.startswith(("oracle-", "sqlserver-")):
            name = name.partition("-")[0]  # what follows is the edition
        return next((engine for engine in DatabaseEngine if engine.value == name), None)

    @property
    def classes(self) -> list[tuple[Resource, str | Absent | Unknown]]:
        """The class of each instance, with the resource that says it."""
        of_cluster = self.resource.text("DBClusterInstanceClass")
        if not self.instances and of_cluster is not ABSENT:
            # A Multi-AZ DB cluster makes its three instances itself.
            return [(self.resource, of_cluster)]
        return [(instance, instance.text("DBInstanceClass")) for instance in self.instances]

    @property
    def port(self) -> int | None:
        """The port that it listens on; None where the templates don't tell."""
        for resource in (self.resource, *self.instances):
            answer = resource.limit("Port")
            if isinstance(answer, Unknown):
                return None
            if answer is not ABSENT:
                return int(answer)
        if self.kind.port is not None:
            return self.kind.port
        if self.kind.noun == "cache":
            return 11211 if self.resource.get("Engine") == "memcached" else DatabaseEngine.REDIS.default_port
        return self.engine.default_port if self.engine else None

    @property
    def is_public(self) -> bool:
        """Whether it has an address that the internet may reach."""
        return self.resource.type == "AWS::DSQL::Cluster" or any(
            member.flag("PubliclyAccessible") is True for member in self.members
        )

    @property
    def is_private(self) -> bool:
        """Whether it surely has no address that the internet may reach."""
        if self.is_public or not self.resource.type.startswith(("AWS::RDS::", "AWS::Redshift")):
            return not self.is_public
        # Without a subnet group it is in the default VPC, where it is public unless the template says otherwise.
        return any(
            member.flag("PubliclyAccessible", default=True) is False or member.get("DBSubnetGroupName") is not ABSENT
            for member in self.members
        )

    @property
    def most_readers(self) -> int | None:
        """How many readers the reader endpoint leads to at most; None where the templates don't tell."""
        in_cluster = _OF_A_MULTI_AZ_CLUSTER if not self.instances and self.classes else len(self.instances)
        found = max(0, in_cluster - 1)
        for target in mentions(self.resource.template.assembly).get(self.resource, ()):
            if not target.exists or target.get("ScalableDimension") != "rds:cluster:ReadReplicaCount":
                continue
            most = target.limit("MaxCapacity")
            if isinstance(most, Unknown | Absent):
                return None
            found = max(found, int(most))
        return found

    def writes(self, reference: Reference) -> bool:
        """Tell whether a reference is an address that takes connections of the writer."""
        return reference.resource in self.members and reference.attribute in _KINDS[reference.resource.type].writers

    def reads(self, reference: Reference) -> bool:
        """Tell whether a reference is an address of readers."""
        return reference.resource in self.members and reference.attribute in _KINDS[reference.resource.type].readers


def proxy_of(resource: Resource) -> Resource | None:
    """Give the proxy that a resource is, or is an endpoint of."""
    if resource.type == "AWS::RDS::DBProxyEndpoint":
        return resource.target("DBProxyName", of="AWS::RDS::DBProxy")
    return resource if resource.type == "AWS::RDS::DBProxy" else None


def server_of(resource: Resource) -> Server | None:
    """Give the server whose cluster, or whose only instance, a resource is."""
    assembly = resource.template.assembly
    by_resource: dict[Resource, Server] = assembly.choices.cached(
        "servers by resource", lambda: {server.resource: server for server in servers(assembly)}
    )
    return by_resource.get(resource)


def servers(assembly: Assembly) -> list[Server]:
    """Give the databases and caches, with their secrets and proxies."""
    return assembly.choices.cached("servers", lambda: _servers(assembly))


def _servers(assembly: Assembly) -> list[Server]:
    clusters = [type_ for type_, kind in _KINDS.items() if kind.cluster is None]
    members: defaultdict[Resource, list[Resource]] = defaultdict(list)
    alone: list[Server] = []
    for type_, kind in _KINDS.items():
        if kind.cluster is None:
            continue
        for instance in assembly.resources(type_):
            cluster = instance.target(kind.cluster, of=type_.replace("DBInstance", "DBCluster"))
            if cluster is not None and cluster.type in clusters:
                members[cluster].append(instance)
            elif instance.get(kind.cluster) is ABSENT and type_ == "AWS::RDS::DBInstance":
                alone.append(Server(instance, [instance]))
    found = [
        *(Server(cluster, members[cluster]) for cluster in assembly.resources(*clusters)),
        *alone,
    ]
    of = {member: server for server in found for member in server.members}
    _find_secrets(assembly, of)
    for group in assembly.resources("AWS::RDS::DBProxyTargetGroup"):
        targets = [
            *group.targets("DBClusterIdentifiers", of="AWS::RDS::DBCluster"),
            *group.targets("DBInstanceIdentifiers", of="AWS::RDS::DBInstance"),
        ]
        proxy = group.target("DBProxyName", of="AWS::RDS::DBProxy")
        if proxy is None:
            continue
        for server in {of[target] for target in targets if target in of}:
            server.proxies += [proxy] if proxy not in server.proxies else []
            server.proxy_groups |= groups(proxy, "VpcSecurityGroupIds")
    return found


def _find_secrets(assembly: Assembly, of: dict[Resource, Server]) -> None:
    """Note the secrets that are attached to a server, or that hold its address."""
    for attachment in assembly.resources("AWS::SecretsManager::SecretTargetAttachment"):
        target = attachment.target("TargetId", of=tuple(_KINDS))
        if target in of:
            of[target].secrets |= {attachment, *filter(None, [attachment.target("SecretId")])}
    for secret in assembly.resources("AWS::SecretsManager::Secret"):
        for reference in secret.references("SecretString"):
            if reference.resource in of and of[reference.resource].writes(reference):
                of[reference.resource].secrets.add(secret)
