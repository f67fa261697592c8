"""A function outside any VPC, before a public database that enforces TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Token

from .._cdk.nag import acknowledge, compliance_rules
from ..downstreams.rds import RdsDownstream
from ..errors import BreakwaterError
from .database import DatabaseFunction
from .public_access import open_to_public
from .tls_enforcement import enforce_tls

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aws_cdk import aws_lambda as lambda_
    from constructs import Construct
    from typing_extensions import Unpack

    from ..budgets.share import ConnectionShare
    from ..downstreams.credentials import DatabaseCredentials
    from ..downstreams.database_types import Database
    from ..downstreams.downstream import Downstream
    from .options import FunctionOptions


class PublicSslDatabaseFunction(DatabaseFunction):
    """A `lambda_.Function` outside any VPC that connects to a public database, with TLS enforced on both sides.

    The server enforces TLS through a parameter of its engine. The client verifies the certificate's chain and host name
    with the certificate authorities of RDS in the runtime layer. The function's reserved concurrency is its share of
    the connections.

    Prefer `VpcDatabaseFunction`. A public database is protected by its password alone.

    Parameters
    ----------
    scope, id, database, code, handler, runtime, share_weight, concurrency, credentials, reserve_concurrency
        As for `VpcDatabaseFunction`. The database must be publicly accessible.
    drivers, verify_at_deploy, connections_per_environment, overlap
        As for `VpcDatabaseFunction`.
    acknowledge_public_access
        The reason why the database's security group is opened. Without a reason, no rule is created, and you must open
        the database by other means. The acknowledgements of cdk-nag rules get the same reason.
    allowed_cidrs
        CIDR blocks, IPv4 or IPv6, to which the security group is opened, such as the egress addresses of a partner or
        of a NAT gateway. A token is treated as IPv4. The function itself uses one of the addresses that AWS's
        ip-ranges.json lists for EC2 in the Region. Default: every address.
    **options
        Every other prop of `lambda_.Function`, with the defaults that `VpcDatabaseFunction` names.

    Raises
    ------
    BreakwaterError
        When the database is not publicly accessible, when its engine can't enforce TLS, when its parameter group is not
        part of this app, when `allowed_cidrs` contains something other than a CIDR block, and as for
        `VpcDatabaseFunction`.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        database: Database,
        code: lambda_.Code,
        handler: str,
        runtime: lambda_.Runtime,
        acknowledge_public_access: str | None = None,
        allowed_cidrs: Sequence[str] | None = None,
        share_weight: float | None = None,
        concurrency: int | None = None,
        credentials: DatabaseCredentials | None = None,
        reserve_concurrency: bool = True,
        drivers: Sequence[str] | None = None,
        verify_at_deploy: bool = False,
        connections_per_environment: int | None = None,
        overlap: bool | None = None,
        **options: Unpack[FunctionOptions],
    ) -> None:
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
            connections_per_environment=connections_per_environment,
            overlap=overlap,
            network={},
            proxy=None,
            **options,
        )
        acknowledge(
            self,
            "It connects to a public database from outside any VPC; TLS is enforced by the server and verified here.",
            *compliance_rules("LambdaInsideVPC"),
        )
        _open(self, self.downstream, acknowledge_public_access, allowed_cidrs)

    def _administrator(self) -> Callable[..., lambda_.Function]:
        return PublicSslDatabaseFunction

    def add_database(
        self,
        name: str,
        *,
        database: Database,
        acknowledge_public_access: str | None = None,
        allowed_cidrs: Sequence[str] | None = None,
        credentials: DatabaseCredentials | None = None,
        connections_per_environment: int | None = None,
    ) -> ConnectionShare:
        """Use an additional public database, see `VpcDatabaseFunction.add_database`. TLS is enforced there as well.

        Parameters
        ----------
        name
            Name of the database: letters, digits and underscores. It is part of the environment variables
            `BREAKWATER_<NAME>_…`.
        database, acknowledge_public_access, allowed_cidrs, credentials, connections_per_environment
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
        downstream, _, share = self._database_connections.add(
            name, database, credentials, connections_per_environment=connections_per_environment
        )
        _open(self, downstream, acknowledge_public_access, allowed_cidrs)
        return share


def _open(
    function: DatabaseFunction, downstream: Downstream, reason: str | None, allowed_cidrs: Sequence[str] | None
) -> None:
    if isinstance(downstream, RdsDownstream):
        _require_public(function, downstream)
        enforce_tls(downstream)
    open_to_public(function, downstream, reason, allowed_cidrs)


def _require_public(function: DatabaseFunction, downstream: RdsDownstream) -> None:
    resources = list(downstream.instances()) if downstream.is_cluster else [downstream.resource]
    for resource in resources:
        public = resource is None or resource.publicly_accessible
        if not public and not Token.is_unresolved(public):
            raise BreakwaterError(
                function,
                f"the database {resource.node.path} is not publicly accessible.",
                "Use VpcDatabaseFunction, or create the database with publicly_accessible=True.",
            )
