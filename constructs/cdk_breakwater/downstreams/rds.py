"""RDS instances and Aurora clusters as downstreams: what their constructs tell, read at synth."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from aws_cdk import Stack
from aws_cdk import aws_rds as rds

from .._cdk.kinds import is_cluster
from .._cdk.references import references
from .._cdk.rendered import rendered
from ..errors import BreakwaterError
from ..limits import max_connections as known
from ..limits.engines import DatabaseEngine
from ..limits.max_connections import MaxConnections, UnknownMaxConnections
from .downstream import Downstream
from .iam_authentication import grant_iam_login
from .parameter_groups import parameters
from .region_certificates import region_certificates

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aws_cdk import aws_iam as iam

    from .database_types import RdsCluster, RdsInstance

_SERVERLESS_CLASS = "db.serverless"
POSTGRESQL_DATABASE = "postgres"
"""What PostgreSQL makes by itself, where no database was asked for."""
# Source: PostgreSQL documentation, "Release 14".
_IDLE_SESSION_TIMEOUT_SINCE = 14
_COPIED_FROM = (
    "DBSnapshotIdentifier",
    "SnapshotIdentifier",
    "SourceDBInstanceIdentifier",
    "SourceDBClusterIdentifier",
)


class RdsDownstream(Downstream):
    """An `rds.DatabaseInstance`, an `rds.DatabaseCluster`, or what implements their interfaces.

    Parameters
    ----------
    database
        The L2 construct, owned or imported.
    certificate_authority
        Path of a PEM file, for a Region whose roots are not part of this library.
    """

    is_rds = True
    """Whether it stands for the readers of a cluster."""

    def __init__(self, database: RdsInstance | RdsCluster, *, certificate_authority: str | None = None) -> None:
        self.database = database
        self.is_cluster = is_cluster(database)
        endpoint = self._endpoint()
        engine = _engine(database, self.source)
        super().__init__(
            database,
            engine=engine,
            host=endpoint.hostname,
            port=self._port(engine) or endpoint.port,
            # A replica has the users of its source.
            secret=getattr(self.source or database, "secret", None),
            database_name=self._database_name(engine),
            connectable=database,
            certificate_authority=certificate_authority,
        )

    @cached_property
    def resource(self) -> Any:
        """The L1 beneath, or None for an imported database."""
        return self.database.node.default_child

    @cached_property
    def source(self) -> Any:
        """What a read replica is a replica of, where that is part of this app."""
        if not self.is_replica:
            return None
        found = references(self.resource.source_db_instance_identifier, self.database)
        instance = next((target for target in found if isinstance(target, rds.CfnDBInstance)), None)
        return None if instance is None else instance.node.scope

    @property
    def is_replica(self) -> bool:
        """Whether it is a read replica of an instance."""
        return getattr(self.resource, "source_db_instance_identifier", None) is not None

    @property
    def tls_ca(self) -> str:
        """Those of the layer: RDS signs with authorities of its own."""
        return "bundled"

    def certificate_authority(self) -> str | None:
        """Return the file that was given, else the roots of the database's Region, see `region_certificates`."""
        return super().certificate_authority() or region_certificates(self.construct)

    def grant_connect(self, grantee: iam.IGrantable, user: str) -> iam.Grant:
        """Allow IAM database authentication as one user, and turn it on, see `grant_iam_login`."""
        return grant_iam_login(self, grantee, user)

    def max_connections(self) -> MaxConnections:
        """Take the parameter group's value, else the table of the class or of the ACUs, else the class's estimate.

        A cluster has the fewest connections of its instances, since each of them can become the writer.
        """
        if self.resource is None:
            msg = "it is imported, so nothing in the app states its max_connections."
            raise UnknownMaxConnections(msg, "")
        if not self.is_cluster:
            return self._of_instance(self.resource)
        found = [self._of_instance(instance) for instance in self.instances()]
        if not found:
            msg = "the cluster has no instance in this app."
            raise UnknownMaxConnections(msg)
        return min(found, key=lambda number: number.value)

    def instances(self) -> Iterator[Any]:
        """Yield the `CfnDBInstance`s of a cluster: writer and readers."""
        for child in self.database.node.find_all():
            if getattr(child, "cfn_resource_type", None) == "AWS::RDS::DBInstance":
                yield child

    def _endpoint(self) -> rds.Endpoint:
        return self.database.cluster_endpoint if is_cluster(self.database) else self.database.instance_endpoint

    def _port(self, engine: DatabaseEngine) -> int | None:
        # A number rather than the endpoint's attribute, so that the rules of cdk-nag can read it. Not for a cluster
        # without one: CloudFormation's default for Aurora PostgreSQL is 3306 (AWS::RDS::DBCluster, Port).
        port = self._known("Port")
        if port is not None:
            return int(port)
        return engine.default_port if self.resource is not None and not self.is_cluster else None

    def _of_instance(self, instance: Any) -> MaxConnections:
        instance_class = _known_value(instance, "DBInstanceClass", "the instance class")
        owners = [instance]
        if self.source is not None and "DBParameterGroupName" not in rendered(instance, "DBParameterGroupName"):
            # Source: Amazon RDS API Reference, CreateDBInstanceReadReplica, DBParameterGroupName.
            owners = [self.source.node.default_child] if self._in_one_region() else []
        if self.is_cluster:
            owners.append(self.resource)
        parameter = known.parameter_name(self.engine)
        for owner in owners:
            value = parameters(owner).get(parameter)
            if value is not None:
                return known.from_parameter(
                    self.engine, _plain(value, f"{parameter} of the parameter group"), instance_class
                )
        if instance_class == _SERVERLESS_CLASS:
            scaling = rendered(self.resource, "ServerlessV2ScalingConfiguration")["ServerlessV2ScalingConfiguration"]
            most, least = scaling.get("MaxCapacity"), scaling.get("MinCapacity")
            return known.for_serverless_v2(
                self.engine,
                float(_plain(most, "the maximum capacity")),
                None if least is None else float(_plain(least, "the minimum capacity")),
            )
        return known.for_instance_class(self.engine, instance_class, self.engine_version)

    @property
    def engine_version(self) -> str | None:
        """The engine's version, or None where it is a token or not given."""
        return self._known("EngineVersion", self.source)

    def lacks(self) -> str | None:
        """Say what is lost before PostgreSQL 14, which knows no `idle_session_timeout`."""
        major = (self.engine_version or "").partition(".")[0]
        if not (self.engine.is_postgresql and major.isdecimal() and int(major) < _IDLE_SESSION_TIMEOUT_SINCE):
            return None
        return (
            f"PostgreSQL {major} has no idle_session_timeout: sessions of environments that are gone stay until the "
            "server notices that nobody is there, and count meanwhile. Upgrade to 14 or later."
        )

    def _in_one_region(self) -> bool:
        return Stack.of(self.source).region == Stack.of(self.database).region

    def _database_name(self, engine: DatabaseEngine) -> str | None:
        name = "DatabaseName" if self.is_cluster else "DBName"
        known = self._known(name, self.source)
        first = self._owner(self.source)
        if known is not None or first is None or not engine.is_postgresql:
            return known
        # Of an engine's own making where none was asked for; libpq would take the user's name. Source: Amazon RDS API
        # Reference, CreateDBInstance, DBName. What a snapshot brings, nobody here knows.
        return None if rendered(first, name, *_COPIED_FROM) else POSTGRESQL_DATABASE

    def _owner(self, source: Any) -> Any:
        return self.resource if source is None else source.node.default_child

    def _known(self, property_: str, source: Any = None) -> str | None:
        resource = self._owner(source)
        value = None if resource is None else rendered(resource, property_).get(property_)
        return str(value) if isinstance(value, (str, int, float)) else None


class ReadersDownstream(RdsDownstream):
    """The readers of a cluster, behind its reader endpoint. Made with `Downstream.readers`.

    Each reader is a server of its own, and the endpoint's DNS name may lead every connection to the same one: so there
    are as many as the smallest of them takes.
    """

    is_readers = True
    budget_id = "ReaderConnectionBudget"

    def __init__(self, cluster: Any) -> None:
        if not is_cluster(cluster):
            raise BreakwaterError(
                cluster, f"{type(cluster).__name__} has no readers.", "Pass a read replica as database=… itself."
            )
        super().__init__(cluster)
        if self.resource is not None and len(list(super().instances())) < 2:
            raise BreakwaterError(
                cluster,
                "it has no reader, so its reader endpoint leads to the writer.",
                "Add readers=[…] to the cluster, or pass the cluster itself as database=….",
            )

    @property
    def title(self) -> str:
        """What tables call them."""
        return f"{super().title} (readers)"

    def instances(self) -> Iterator[Any]:
        """Yield the `CfnDBInstance`s of the readers; the cluster makes its writer first."""
        instances = super().instances()
        next(instances, None)
        yield from instances

    def max_connections(self) -> MaxConnections:
        """Take that of the smallest reader."""
        found = super().max_connections()
        readers = len(list(self.instances()))
        return replace(found, basis=f"the smallest of {readers} readers: {found.basis}") if readers > 1 else found

    def caution(self) -> str | None:
        """Say that a single reader and the writer are one server for a while, after a failover."""
        if self.resource is not None and len(list(self.instances())) > 1:
            return None
        if self.database.node.try_find_child(RdsDownstream.budget_id) is None:
            return None
        # Source: Amazon Aurora User Guide, "Aurora endpoint connections": without a reader, it leads to the writer.
        readers = "is imported, and may have" if self.resource is None else "has"
        remedy = "See to it that it has two readers" if self.resource is None else "Add a second reader"
        return (
            f"{self.construct.node.path} {readers} a single reader: after a failover its reader endpoint leads to the "
            f"writer until there is a reader again, and functions of both budgets connect to one server. {remedy}, or "
            "leave external_connections=… in each budget for the other's."
        )

    def _endpoint(self) -> rds.Endpoint:
        try:
            return cast("rds.IDatabaseCluster", self.database).cluster_read_endpoint
        except RuntimeError as missing:  # what a getter of jsii that throws becomes
            raise BreakwaterError(
                self.database, "its reader endpoint is not known.", "Import it with reader_endpoint_address=…."
            ) from missing


def _known_value(resource: Any, property_: str, what: str) -> str:
    return _plain(rendered(resource, property_).get(property_), what)


def _plain(value: Any, what: str) -> str:
    if not isinstance(value, (str, int, float)):
        msg = f"{what} is a token and known only at deployment."
        raise UnknownMaxConnections(msg)
    return str(value)


def _engine(database: Any, source: Any) -> DatabaseEngine:
    engine = getattr(database, "engine", None) or getattr(source, "engine", None)
    engine_type = engine.engine_type if engine is not None else None
    for candidate in DatabaseEngine:
        # Oracle's and SQL Server's types carry the edition: oracle-ee, sqlserver-ex.
        if engine_type is not None and (
            engine_type == candidate.value or engine_type.startswith(f"{candidate.value}-")
        ):
            return candidate
    raise BreakwaterError(
        database,
        f"its engine is unknown (given {engine_type}).",
        "Import it with engine=… (from_database_instance_attributes and from_database_cluster_attributes take it, a "
        "look-up does not), or describe it with Downstream.endpoint(…).",
    )
