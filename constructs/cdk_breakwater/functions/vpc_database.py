"""A function beside its database, in private subnets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_cdk import Annotations, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam

from .._cdk.arguments import SUBNETS, VPC, require
from ..network.subnets import private_subnets
from .database import DatabaseFunction
from .function_network import FunctionNetwork

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aws_cdk import aws_lambda as lambda_
    from aws_cdk import aws_rds as rds
    from constructs import Construct
    from typing_extensions import Unpack

    from ..budgets.share import ConnectionShare
    from ..downstreams.credentials import DatabaseCredentials
    from ..downstreams.database_types import Database, Proxy
    from .options import FunctionOptions


class VpcDatabaseFunction(DatabaseFunction):
    """A `lambda_.Function` in private subnets that can't exhaust its database's connections.

    Its reserved concurrency is its share of the database's connections. Its security group allows outbound traffic to
    the database and to HTTPS. It may read the database's secret, and it has the runtime layer with the driver.

    Parameters
    ----------
    scope, id
        The parent construct, and the id of this one within it.
    database
        The database: an `rds.DatabaseInstance` or `rds.DatabaseCluster`, created in the app or imported, or a
        `Downstream`.
    vpc
        The VPC from which the database can be reached.
    code, handler, runtime
        As for `lambda_.Function`.
    vpc_subnets
        Private subnets. Default: subnets with a route to the internet, else isolated subnets.
    share_weight
        Part of the connections that fixed shares leave, relative to the other weights. Default 1.
    concurrency
        A fixed share instead of a weight: this many environments, 1 or more.
    credentials
        How the function logs in. `DatabaseCredentials.user` creates a database user of its own. Default: the database's
        own secret, which is the master user's.
    reserve_concurrency
        False doesn't set reserved concurrency, for accounts whose quota leaves none to reserve. The share still limits
        the event sources, and an annotation says what is no longer guaranteed. Default True.
    drivers
        Drivers in the runtime layer, as pip requirements. Default: the engine's driver, see `DatabaseEngine.driver`.
    verify_at_deploy
        Whether the deployment compares the server's `max_connections` with the number from which the shares were
        computed, and fails if the server's number is lower. Default False.
    proxy
        True connects through an RDS Proxy that this library creates for the database, and that all functions with
        proxy=True share. It requires TLS, its borrow timeout is half of the shortest of their timeouts, and it takes at
        most 70 % of the connections. Or pass a proxy of this app, or an imported one, see `Downstream.proxy`. The share
        is then a share of the proxy's pool. Default: no proxy.
    connections_per_environment
        Connections that each environment holds, 1 or more. The share is divided by this number. Default: what the
        engine's driver holds, which is 1 except for MongoDB.
    overlap
        Whether environments of old and new code hold connections at the same time after a deployment. Then the share
        counts twice. Pass True as long as the handler opens connections of its own. Default: True for functions without
        the runtime layer (Java, Go, .NET, Ruby, and Node.js except with MySQL and PostgreSQL).
    **options
        Every other prop of `lambda_.Function`. Defaults that differ from the CDK's: `timeout` 30 s, `memory_size` 512
        MiB, `tracing` active, a log group that keeps logs for a month, a role without AWS managed policies, and
        `allow_all_outbound` False if the security group is created here.

    Attributes
    ----------
    share : ConnectionShare
        The function's share of the budget.
    downstream : Downstream
        The database, or its RDS Proxy, as a downstream.
    database_user : DatabaseUser or None
        The database user that `DatabaseCredentials.user` creates for the function, with its secret.

    Raises
    ------
    BreakwaterError
        When the database is not a downstream, when it has no secret and no credentials are given, when the subnets are
        public or there are none, when a driver has no wheel for the runtime, or when a number is out of range.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        database: Database,
        vpc: ec2.IVpc,
        code: lambda_.Code,
        handler: str,
        runtime: lambda_.Runtime,
        vpc_subnets: ec2.SubnetSelection | None = None,
        share_weight: float | None = None,
        concurrency: int | None = None,
        credentials: DatabaseCredentials | None = None,
        reserve_concurrency: bool = True,
        drivers: Sequence[str] | None = None,
        verify_at_deploy: bool = False,
        proxy: Proxy | bool | None = None,
        connections_per_environment: int | None = None,
        overlap: bool | None = None,
        **options: Unpack[FunctionOptions],
    ) -> None:
        path = f"{scope.node.path}/{id}"
        require(path, {"vpc": vpc, "vpc_subnets": vpc_subnets}, {"vpc": VPC, "vpc_subnets": SUBNETS}, needed=("vpc",))
        subnets = private_subnets(path, vpc, vpc_subnets)
        network: dict[str, Any] = {"vpc": vpc, "vpc_subnets": subnets}
        own_security_group = not options.get("security_groups")
        if own_security_group:
            network["allow_all_outbound"] = options.get("allow_all_outbound") or False
        super().__init__(
            scope,
            id,
            database=database,
            code=code,
            handler=handler,
            runtime=runtime,
            share_weight=share_weight,
            concurrency=concurrency,
            credentials=credentials,
            reserve_concurrency=reserve_concurrency,
            drivers=drivers,
            verify_at_deploy=verify_at_deploy,
            proxy=proxy,
            connections_per_environment=connections_per_environment,
            overlap=overlap,
            network=network,
            **options,
        )
        _allow_network_interfaces(self)
        closed = not any(group.allow_all_outbound for group in self.connections.security_groups)
        if closed and (own_security_group or self.credentials.needs_secrets_manager):
            self.connections.allow_to_any_ipv4(ec2.Port.HTTPS, "AWS APIs, Secrets Manager among them")
        self._network = FunctionNetwork(vpc, subnets, closed)
        self._network.lead_to(self.downstream, self.credentials, self)
        if own_security_group and options.get("allow_all_outbound") is None:
            _say_that_groups_are_closed(self)

    @property
    def proxy(self) -> rds.IDatabaseProxy | None:
        """The RDS Proxy through which the function connects, or None."""
        return getattr(self.downstream, "database_proxy", None)

    def _administrator(self) -> Callable[..., lambda_.Function]:
        return VpcDatabaseFunction

    def add_database(
        self,
        name: str,
        *,
        database: Database,
        credentials: DatabaseCredentials | None = None,
        proxy: Proxy | bool | None = None,
        connections_per_environment: int | None = None,
    ) -> ConnectionShare:
        """Use an additional database, with `breakwater.database(name)` in the function's code.

        The function has a share of the budget of each of its databases, with the same weight or concurrency. Its
        reserved concurrency is the smallest of its shares. Connections that it can't use in the other budgets go to
        functions that can.

        Parameters
        ----------
        name
            Name of the database: letters, digits and underscores. It is part of the environment variables
            `BREAKWATER_<NAME>_…`.
        database, credentials, proxy, connections_per_environment
            As for the constructor.

        Returns
        -------
        ConnectionShare
            The function's share of the additional database.

        Raises
        ------
        BreakwaterError
            When the name is invalid or taken, and as for the constructor.
        """
        downstream, credentials, share = self._database_connections.add(
            name,
            database,
            credentials,
            connections_per_environment=connections_per_environment,
            proxy=proxy,
        )
        self._network.lead_to(downstream, credentials, self)
        return share


def _say_that_groups_are_closed(function: lambda_.Function) -> None:
    # Once a stack. Where it takes a lambda_.Function's place, the group that let everything out is closed in place.
    Annotations.of(Stack.of(function)).add_info_v2(
        "cdk-breakwater:closed-egress",
        "The security groups of its VpcDatabaseFunctions allow outbound HTTPS and the port of the database, and "
        "nothing else. Calls to Redis, SMTP or plain HTTP time out. For a function that makes other calls, pass "
        "allow_all_outbound=True or call function.connections.allow_to(…). For one that doesn't, pass "
        "allow_all_outbound=False.",
    )


def _allow_network_interfaces(function: lambda_.Function) -> None:
    # What AWSLambdaVPCAccessExecutionRole grants beyond logs, with the actions that Lambda asks for and no more.
    # Source: AWS Lambda Developer Guide, "Giving Lambda functions access to resources in an Amazon VPC".
    function.add_to_role_policy(
        iam.PolicyStatement(
            actions=[
                "ec2:AssignPrivateIpAddresses",
                "ec2:CreateNetworkInterface",
                "ec2:DeleteNetworkInterface",
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeSubnets",
                "ec2:UnassignPrivateIpAddresses",
            ],
            resources=["*"],
        )
    )
