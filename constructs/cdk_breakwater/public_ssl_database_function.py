"""A function outside any VPC, before a public database that enforces TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_cdk import Annotations, Token
from aws_cdk import aws_ec2 as ec2

from .acknowledgements import acknowledge, compliance_rules
from .database_function import DatabaseFunction
from .errors import BreakwaterError
from .rds_downstream import RdsDownstream
from .tls_enforcement import enforce_tls

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import aws_lambda as lambda_
    from constructs import Construct
    from typing_extensions import Unpack

    from .credentials import DatabaseCredentials
    from .function_options import FunctionOptions


class PublicSslDatabaseFunction(DatabaseFunction):
    """A `lambda_.Function` outside any VPC that connects to a public database, over TLS that both sides insist on.

    The server enforces TLS by its engine's parameter; the client verifies the certificate's chain and host name with
    the certificate authorities of RDS in the runtime layer. Its reserved concurrency is its share of the connections.

    Prefer `VpcDatabaseFunction`: a public database is one password away from everyone.

    Parameters
    ----------
    scope, id, database, code, handler, runtime, share_weight, concurrency, credentials, reserve_concurrency
        As for `VpcDatabaseFunction`. The database must be publicly accessible.
    drivers, verify_at_deploy
        As for `VpcDatabaseFunction`.
    acknowledge_public_access
        Why the database's security group is opened to every address. Without it, no rule is made, and the database must
        be opened by other means. The reason becomes that of the acknowledged cdk-nag rules.
    **options
        Every other prop of `lambda_.Function`, with the defaults that `VpcDatabaseFunction` names.

    Raises
    ------
    BreakwaterError
        When the database is not publicly accessible, when its engine cannot enforce TLS, or when its parameter group is
        not part of this app; and as for `VpcDatabaseFunction`.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        database: Any,
        code: lambda_.Code,
        handler: str,
        runtime: lambda_.Runtime,
        acknowledge_public_access: str | None = None,
        share_weight: float | None = None,
        concurrency: int | None = None,
        credentials: DatabaseCredentials | None = None,
        reserve_concurrency: bool = True,
        drivers: Sequence[str] | None = None,
        verify_at_deploy: bool = False,
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
            network={},
            **options,
        )
        acknowledge(
            self,
            "It connects to a public database from outside any VPC; TLS is enforced by the server and verified here.",
            *compliance_rules("LambdaInsideVPC"),
        )
        if isinstance(self.downstream, RdsDownstream):
            _require_public(self, self.downstream)
            enforce_tls(self.downstream)
        if acknowledge_public_access is not None:
            _open(self, acknowledge_public_access)


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


def _open(function: DatabaseFunction, reason: str) -> None:
    if not reason.strip():
        raise BreakwaterError(
            function, "acknowledge_public_access is empty.", "Say why the database is open to every address."
        )
    downstream = function.downstream
    if downstream.connectable is None:
        Annotations.of(function).add_info(
            f"{downstream.construct.node.path} has no security group here, so acknowledge_public_access opens nothing."
        )
        return
    downstream.connectable.connections.allow_from_any_ipv4(
        ec2.Port.tcp(downstream.port), "public, TLS enforced by the server"
    )
    acknowledge(
        downstream.construct,
        f"{reason} (TLS is enforced by the server and verified by the client.)",
        "AwsSolutions-EC23",
        "CloudFormation-Validate::W9011",
        *compliance_rules("RDSInstancePublicAccess", "EC2RestrictedCommonPorts"),
    )
