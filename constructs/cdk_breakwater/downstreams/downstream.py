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
    """The system being protected: where it is, who may connect to it, and how many connections it takes.

    An RDS instance or Aurora cluster is a downstream as it is: pass it wherever a downstream is asked for. Anything
    else is described with `Downstream.endpoint`.
    """

    budget_id = "ConnectionBudget"
    """The id of its budget beneath its construct."""
    _before_proxy: ClassVar[Callable[..., Downstream]]
    """How a database is looked at through a proxy; see `wiring`."""
    is_rds = False
    """Whether it is an instance or a cluster of RDS or Aurora, where users are made and proxies stand."""
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
        """The authorities that the server's certificate is verified with, as the runtime calls them.

        "bundled" in the layer, the operating "system"'s, or "by-host": the bundled ones for a host of RDS.
        """
        return "system" if self._certificate_authority is None else "bundled"

    @property
    def server(self) -> Downstream:
        """The database itself: what is behind an RDS Proxy, or this."""
        return self

    @property
    def title(self) -> str:
        """What tables call it."""
        return self.construct.node.path

    @property
    def reserved_connections(self) -> int:
        """Connections that the server keeps for administrators and for AWS's own agents."""
        return self.engine.reserved_connections

    @property
    def needs_login(self) -> bool:
        """Whether a function needs credentials: not for a cache without AUTH, which its security group protects."""
        return not self.engine.is_cache

    def certificate_authority(self) -> str | None:
        """Return the certificate authorities as PEM, or None for those of the operating system."""
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
        """Find the server's `max_connections`; called at synth, so that a later change still counts.

        Raises
        ------
        UnknownMaxConnections
            When nothing in the app tells the number.
        """

    def lacks(self) -> str | None:
        """Return what its version lacks that the runtime would use, or None."""
        return None

    def caution(self) -> str | None:
        """Return what its budget cannot guarantee by itself, or None."""
        return None

    def grant_connect(self, grantee: iam.IGrantable, user: str) -> iam.Grant:  # noqa: ARG002 -- RDS's downstream does
        """Allow IAM database authentication as one user."""
        raise BreakwaterError(
            self.construct,
            f"IAM database authentication as {user!r} is for databases of RDS and Aurora.",
            "Pass credentials=DatabaseCredentials.secret(…).",
        )

    def register_function(self, function: Construct, credentials: DatabaseCredentials, timeout: Duration) -> None:  # noqa: B027 -- proxies do
        """Prepare for a function that logs in; what stands between the two needs to know."""

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
        """Give a function that was made elsewhere what a `VpcDatabaseFunction` has by itself.

        Its reserved concurrency becomes its share, the database's security group is opened to it, it may read the
        secret, `breakwater.database()` in its code finds its settings in the environment, and a function of Python or
        Node.js gets the runtime layer. A variable that the function has already stays as it is.

        Parameters
        ----------
        function
            A `lambda_.Function` of this app, or a subclass: `PythonFunction`, `NodejsFunction`, `DockerImageFunction`.
            An alias or a version stands for its function. A container image takes no layer: install
            cdk-breakwater-runtime in it.
        name
            For a further database of the function: `breakwater.database(name)` in its code. Default: it is the first.
        credentials, share_weight, concurrency, reserve_concurrency, drivers, verify_at_deploy
            As for `VpcDatabaseFunction`.
        connections_per_environment, overlap
            As for `VpcDatabaseFunction`. Pass overlap=True while the handler still opens connections of its own.
        vpc
            The VPC that the function stands in, where that is neither the database's nor made in this app.

        Returns
        -------
        ConnectionShare
            The function's share of this database.

        Raises
        ------
        BreakwaterError
            When the function is imported or has a reserved concurrency already, when it stands outside of the
            database's VPC, when it has five layers, and as for `VpcDatabaseFunction`.
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
        """Look at the readers of an Aurora or Multi-AZ cluster, behind its reader endpoint.

        Their budget is apart from the writer's. A function that uses both takes part in both:
        `function.add_database("readers", database=Downstream.readers(cluster))`.

        Parameters
        ----------
        cluster
            An `rds.DatabaseCluster`, or an imported one with a reader endpoint.

        Raises
        ------
        BreakwaterError
            When it is no cluster, or has no reader, or no reader endpoint.
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
        """Look at a database through an RDS Proxy; `VpcDatabaseFunction(proxy=…)` does the same for one function.

        Functions share the connections of the proxy's pool, and those that connect to the database itself share what
        the pools leave.

        Parameters
        ----------
        database
            A database of RDS or Aurora.
        proxy
            A proxy that leads to the database, owned or imported. Default: one proxy of the database's own, the same
            for all that ask for it.
        vpc
            Where a proxy of its own stands. Default: the database's, where it is known.
        max_connections_percent
            MaxConnectionsPercent, 1 to 100. Default: what a proxy of this app says; for a proxy of its own 70, less
            what other proxies of the database have. An imported proxy needs it.
        **options
            Other props of `rds.DatabaseProxy`, for a proxy of its own, before the first function uses it: `init_query`
            for what each session should have SET, `session_pinning_filters`, `debug_logging`, timeouts.

        Raises
        ------
        BreakwaterError
            When the database is of another kind or a read replica, the percentage is out of its range, or options are
            given for a proxy that exists.
        """
        target = Downstream.of(database)
        return Downstream._before_proxy(
            target, proxy, where=target.construct.node.path, vpc=vpc, percent=max_connections_percent, options=options
        )

    @staticmethod
    def of(database: Database, *, certificate_authority: str | None = None) -> Downstream:
        """Look at a database as a downstream.

        Parameters
        ----------
        database
            A `Downstream`, an `rds.DatabaseInstance`, an `rds.DatabaseCluster`, a `docdb.DatabaseCluster`, or what
            implements their interfaces; an `elasticache.CfnReplicationGroup`, an `elasticache.CfnServerlessCache` or a
            `dsql.CfnCluster`.
        certificate_authority
            Path of a PEM file with the certificate authorities of RDS, for a Region whose are not part of this library.

        Raises
        ------
        BreakwaterError
            When it is none of these, or has no certificate that those of RDS verify.
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
        """Describe a downstream that is not a database of RDS.

        Parameters
        ----------
        scope, id
            The parent construct, and the id of this one within it.
        host
            Host name or address; for MongoDB also a seed list in DNS, ``mongodb+srv://cluster0.example.mongodb.net``.
        engine
            Its engine.
        max_connections
            Connections that the server takes, 1 or more. Not a token. Default: the engine's limit, for Redis and Valkey
            (ElastiCache's 65,000) and Aurora DSQL (10,000); the tier's, with `atlas_tier`.
        atlas_tier
            The tier of a MongoDB Atlas cluster, such as ``M30``: it gives the connections per node.
        port
            TCP port. Default: the engine's own.
        secret
            Holds `username` and `password`.
        security_group
            The server's, opened to the functions that connect. None where AWS has none of it.
        database_name
            Database (schema) to use. Default: the secret's `dbname`.
        certificate_authority
            Path of a PEM file with the certificate authorities that the server's certificate is verified with.
            Default: for a host of RDS its Region's, else those of the operating system. For a host that is known at
            deployment only, the function chooses between the two by the name that it gets.
        pooler
            Whether a pooler listens there that lends server connections by the transaction: PgBouncer, Supavisor,
            PgCat. `max_connections` is then its own limit of clients, and sessions are left as they are. Default False.

        Raises
        ------
        BreakwaterError
            When `host` is a URL, when `max_connections` is a token or below 1, is given together with `atlas_tier`, or
            neither is given and the engine's limit depends on more.
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
