"""What functions connect to: a database of this app, an imported one, or any endpoint."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol, cast

from constructs import Construct, IConstruct

from .._cdk.arguments import require
from ..errors import BreakwaterError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aws_cdk import Duration
    from aws_cdk import aws_ec2 as ec2
    from aws_cdk import aws_iam as iam
    from aws_cdk import aws_secretsmanager as secretsmanager
    from typing_extensions import Unpack

    from .._cdk.parameter_types import Function, Secret
    from ..limits.engines import DatabaseEngine
    from ..limits.max_connections import MaxConnections
    from .credentials import DatabaseCredentials
    from .database_types import Database, Proxy, RdsCluster
    from .proxy_options import ProxyOptions


class GrantedShare(Protocol):
    """A `ConnectionShare`, as far as this floor knows it."""

    @property
    def concurrency(self) -> int:
        """How many environments may run at once, for any property of an L1 or L2."""
        ...


class Downstream(ABC):
    """The system to protect: where it is, who may connect to it, and how many connections it accepts.

    An RDS instance or Aurora cluster is a downstream by itself: pass it wherever a downstream is expected. Describe any
    other server with `Downstream.endpoint`.
    """

    budget_id = "ConnectionBudget"
    """The id of its budget beneath its construct."""
    _before_proxy: ClassVar[Callable[..., Downstream]]
    """How a database is looked at through a proxy; see `wiring`."""
    is_rds = False
    """Whether it is an instance or a cluster of RDS or Aurora, where users are made and proxies stand."""
    is_readers = False
    """Whether it is the readers of a cluster, behind their endpoint."""
    _connect: ClassVar[Callable[..., GrantedShare]]
    """How a function is connected with a database; see `wiring`."""
    lends_by_transaction = False
    """Whether a pooler lends a server connection for a transaction: then nothing is SET, nor passed on at startup."""
    behind_proxy = False
    """Whether an RDS Proxy stands between it and who connects: then nothing is SET, since that pins a session."""

    def __init__(
        self,
        construct: IConstruct,
        *,
        engine: DatabaseEngine,
        host: str,
        port: float,
        secret: Secret | None = None,
        database_name: str | None = None,
        connectable: ec2.IConnectable | None = None,
        certificate_authority: str | None = None,
    ) -> None:
        self.construct = construct
        self.engine = engine
        self.host = host
        self.port = port
        self.secret = cast("secretsmanager.ISecret | None", secret)
        self.database_name = database_name
        self.connectable = connectable
        self._certificate_authority = certificate_authority

    @property
    def tls_ca(self) -> str:
        """The certificate authorities that verify the server's certificate, by the runtime's name for them.

        "bundled" are those in the layer. "system" are those of the operating system. "by-host" means the bundled ones
        for a host of RDS, and the operating system's for any other host.
        """
        return "system" if self._certificate_authority is None else "bundled"

    @property
    def server(self) -> Downstream:
        """The database itself: the one behind an RDS Proxy, or this one."""
        return self

    @property
    def title(self) -> str:
        """The name in tables."""
        return self.construct.node.path

    @property
    def reserved_connections(self) -> int:
        """Connections that the server reserves for administrators and for AWS's own agents."""
        return self.engine.reserved_connections

    @property
    def needs_login(self) -> bool:
        """Whether a function needs credentials. A cache without AUTH needs none; its security group protects it."""
        return not self.engine.is_cache

    def certificate_authority(self) -> str | None:
        """Return the certificate authorities as PEM, or None for the operating system's."""
        if self._certificate_authority is None:
            return None
        try:
            return Path(self._certificate_authority).read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError) as error:
            raise BreakwaterError(
                self.construct,
                f"certificate_authority={self._certificate_authority!r} cannot be read ({error}).",
                "Give the path of a PEM file.",
            ) from error

    @abstractmethod
    def max_connections(self) -> MaxConnections:
        """Find the server's `max_connections`. Called at synth, so that later changes count.

        Raises
        ------
        UnknownMaxConnections
            When nothing in the app states the number.
        """

    def lacks(self) -> str | None:
        """Return what the server's version lacks that the runtime would use, or None."""
        return None

    def caution(self) -> str | None:
        """Return what the budget can't guarantee by itself, or None."""
        return None

    def grant_connect(self, grantee: iam.IGrantable, user: str) -> iam.Grant:  # noqa: ARG002 -- RDS's downstream does
        """Allow IAM database authentication as one user."""
        raise BreakwaterError(
            self.construct,
            f"IAM database authentication as {user!r} is for databases of RDS and Aurora.",
            "Pass credentials=DatabaseCredentials.secret(…).",
        )

    def register_function(self, function: Construct, credentials: DatabaseCredentials, timeout: Duration) -> None:  # noqa: B027 -- proxies do
        """Prepare for a function that logs in, for example at the proxy in between."""

    def connect(
        self,
        function: Function,
        *,
        name: str | None = None,
        credentials: DatabaseCredentials | None = None,
        share_weight: float | None = None,
        concurrency: int | None = None,
        reserve_concurrency: bool = True,
        drivers: Sequence[str] | None = None,
        verify_at_deploy: bool = False,
        connections_per_environment: int | None = None,
        overlap: bool | None = None,
        vpc: ec2.IVpc | None = None,
    ) -> GrantedShare:
        """Give an existing function what a `VpcDatabaseFunction` has.

        The function's share becomes its reserved concurrency. The database's security group is opened to the function,
        and the function may read the secret. `breakwater.database()` in its code finds its settings in the environment.
        A Python or Node.js function gets the runtime layer. Environment variables that the function already has stay as
        they are.

        Parameters
        ----------
        function
            A `lambda_.Function` of this app, or a subclass such as `PythonFunction`, `NodejsFunction` or
            `DockerImageFunction`. An alias or a version stands for its function. A container image can't have layers:
            install cdk-breakwater-runtime in the image.
        name
            Name of an additional database, for `breakwater.database(name)` in the function's code. Default: the
            database is the function's first.
        credentials, share_weight, concurrency, reserve_concurrency, drivers, verify_at_deploy
            As for `VpcDatabaseFunction`.
        connections_per_environment, overlap
            As for `VpcDatabaseFunction`. Pass overlap=True as long as the handler opens connections of its own.
        vpc
            The function's VPC, if it is neither the database's VPC nor created in this app.

        Returns
        -------
        ConnectionShare
            The function's share of this database.

        Raises
        ------
        BreakwaterError
            When the function is imported or already has reserved concurrency, when it is outside the database's VPC,
            when it already has five layers, and as for `VpcDatabaseFunction`.
        """
        return Downstream._connect(
            self,
            function,
            name=name,
            credentials=credentials,
            share_weight=share_weight,
            concurrency=concurrency,
            reserve_concurrency=reserve_concurrency,
            drivers=drivers,
            verify_at_deploy=verify_at_deploy,
            connections_per_environment=connections_per_environment,
            overlap=overlap,
            vpc=vpc,
        )

    @staticmethod
    def readers(cluster: RdsCluster) -> Downstream:
        """Return the readers of an Aurora or Multi-AZ cluster, behind its reader endpoint, as a downstream.

        The readers' budget is separate from the writer's. A function that uses both has a share of each:
        `function.add_database("readers", database=Downstream.readers(cluster))`.

        Parameters
        ----------
        cluster
            An `rds.DatabaseCluster`, or an imported one with a reader endpoint.

        Raises
        ------
        BreakwaterError
            When `cluster` is not a cluster, or when it has no reader or no reader endpoint.
        """
        from .rds import ReadersDownstream

        return ReadersDownstream(cluster)

    @staticmethod
    def proxy(
        database: Database,
        proxy: Proxy | bool = True,
        *,
        vpc: ec2.IVpc | None = None,
        max_connections_percent: int | None = None,
        **options: Unpack[ProxyOptions],
    ) -> Downstream:
        """Return a database behind an RDS Proxy as a downstream; see also `VpcDatabaseFunction(proxy=…)`.

        Functions that use the proxy share the connections of its pool. Functions that connect to the database directly
        share what the pools leave.

        Parameters
        ----------
        database
            A database of RDS or Aurora.
        proxy
            A proxy of this database, created in this app or imported. Default: one proxy that this library creates for
            the database, the same for all callers.
        vpc
            The VPC of a proxy that this library creates. Default: the database's VPC, if it is known.
        max_connections_percent
            MaxConnectionsPercent, 1 to 100. Required for an imported proxy. Default for a proxy of this app: its own
            setting. Default for a proxy that this library creates: 70, less what other proxies of the database have.
        **options
            Other props of `rds.DatabaseProxy` for a proxy that this library creates, such as `init_query` (which can
            SET variables in each session), `session_pinning_filters`, `debug_logging` and timeouts. Pass them before
            the first function uses the proxy.

        Raises
        ------
        BreakwaterError
            When the database is of another kind or a read replica, when the percentage is out of range, or when options
            are given for an existing proxy.
        """
        target = Downstream.of(database)
        return Downstream._before_proxy(
            target, proxy, where=target.construct.node.path, vpc=vpc, percent=max_connections_percent, options=options
        )

    @staticmethod
    def of(database: Database, *, certificate_authority: str | None = None) -> Downstream:
        """Return a database as a downstream.

        Parameters
        ----------
        database
            A `Downstream`; an `rds.DatabaseInstance`, an `rds.DatabaseCluster`, a `docdb.DatabaseCluster`, or an object
            that implements their interfaces; an `elasticache.CfnReplicationGroup`, an `elasticache.CfnServerlessCache`
            or a `dsql.CfnCluster`.
        certificate_authority
            Path of a PEM file with the certificate authorities of RDS, for a Region whose authorities aren't part of
            this library.

        Raises
        ------
        BreakwaterError
            When `database` is none of these, or when `certificate_authority` is given and the database isn't of RDS or
            DocumentDB.
        """
        from .recognize import recognize

        return recognize(database, certificate_authority)

    @staticmethod
    def endpoint(
        scope: Construct,
        id: str,
        *,
        host: str,
        engine: DatabaseEngine,
        max_connections: int | None = None,
        atlas_tier: str | None = None,
        port: int | None = None,
        secret: Secret | None = None,
        security_group: ec2.ISecurityGroup | None = None,
        database_name: str | None = None,
        certificate_authority: str | None = None,
        pooler: bool = False,
    ) -> Downstream:
        """Describe a downstream by its host, for any server that isn't an RDS construct of the app.

        Parameters
        ----------
        scope, id
            The parent construct, and the id of this one within it.
        host
            Host name or IP address. For MongoDB also a DNS seed list, such as
            ``mongodb+srv://cluster0.example.mongodb.net``.
        engine
            The server's engine.
        max_connections
            Connections that the server accepts, 1 or more; not a token. Default: the engine's limit for Redis and
            Valkey (ElastiCache's 65,000) and Aurora DSQL (10,000), or the tier's limit with `atlas_tier`. Other engines
            require it.
        atlas_tier
            The tier of a MongoDB Atlas cluster, such as ``M30``. It determines the connections per node.
        port
            TCP port. Default: the engine's default port.
        secret
            The secret with `username` and `password`.
        security_group
            The server's security group, which is opened to the functions that connect. Default: none, for a server
            outside AWS.
        database_name
            Name of the database (schema) to use. Default: the secret's `dbname`.
        certificate_authority
            Path of a PEM file with the certificate authorities that verify the server's certificate. Default: those of
            the Region for a host of RDS, else those of the operating system. If the host is known only at deployment,
            the function chooses between the two by the host name.
        pooler
            Whether the host is a pooler that lends a server connection for each transaction, such as PgBouncer,
            Supavisor or PgCat. `max_connections` is then the pooler's own limit of clients, and the runtime doesn't
            change sessions. Default False.

        Raises
        ------
        BreakwaterError
            When `host` is a URL. When `max_connections` is a token or below 1, or is given together with `atlas_tier`.
            When neither is given and the engine has no fixed limit.
        """
        from .endpoint import ENDPOINT_ARGUMENTS, EndpointDownstream, endpoint_limit, require_host

        path = f"{scope.node.path}/{id}"
        given = {
            "host": host,
            "engine": engine,
            "atlas_tier": atlas_tier,
            "port": port,
            "secret": secret,
            "security_group": security_group,
            "database_name": database_name,
            "certificate_authority": certificate_authority,
            "pooler": pooler,
        }
        require(path, given, ENDPOINT_ARGUMENTS, needed=("host", "engine"))
        require_host(path, host, engine)
        construct = Construct(scope, id)
        return EndpointDownstream(
            construct,
            endpoint_limit(construct, engine, max_connections, atlas_tier),
            engine=engine,
            host=host,
            port=port or engine.default_port,
            secret=secret,
            database_name=database_name,
            connectable=security_group,
            certificate_authority=certificate_authority,
            pooler=pooler,
        )
