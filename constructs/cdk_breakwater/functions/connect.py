"""A function that was made elsewhere becomes a database function in all but its class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_

from .._cdk.arguments import FUNCTION, TEXT, VPC, require, shown
from .._cdk.function_qualifiers import unqualified
from .._cdk.rendered import environment_variables
from ..errors import BreakwaterError
from ..network.subnets import vpc_made_here
from .database import DatabaseFunction
from .database_connections import DatabaseConnections
from .database_users.placement import FunctionPlacement
from .function_network import FunctionNetwork
from .public_ssl_database import PublicSslDatabaseFunction
from .vpc_database import VpcDatabaseFunction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from constructs import Construct

    from .._cdk.parameter_types import Function
    from ..budgets.share import ConnectionShare
    from ..downstreams.credentials import DatabaseCredentials
    from ..downstreams.downstream import Downstream


def connect(
    downstream: Downstream,
    function: Function,
    *,
    name: str | None,
    credentials: DatabaseCredentials | None,
    share_weight: float | None,
    concurrency: int | None,
    reserve_concurrency: bool,
    drivers: Sequence[str] | None,
    verify_at_deploy: bool,
    connections_per_environment: int | None,
    overlap: bool | None,
    vpc: ec2.IVpc | None,
) -> ConnectionShare:
    """Connect a function with a database; see `Downstream.connect`."""
    require(downstream.construct, {"function": function}, {"function": FUNCTION}, needed=("function",))
    function = _function(function)
    require(function, {"vpc": vpc, "name": name}, {"vpc": VPC, "name": TEXT})
    network = _network(function, downstream, vpc)
    known = DatabaseConnections.of(function)
    if known is None:
        if name is not None:
            raise BreakwaterError(
                function, f"name={name!r} is given, and it has no database yet.", "Give a further database a name."
            )
        placement = FunctionPlacement(
            function.node.path,
            cast("Construct", function.node.scope),
            function.runtime,
            {} if network is None else {"vpc": network.vpc, "vpc_subnets": network.subnets},
            _options(function, network),
            reserve_concurrency,
            PublicSslDatabaseFunction if network is None else VpcDatabaseFunction,
        )
        known = DatabaseConnections(
            function, placement, drivers=drivers, verify_at_deploy=verify_at_deploy, overlap=overlap
        )
        downstream, credentials, share = known.first(
            downstream,
            credentials,
            share_weight=share_weight,
            concurrency=concurrency,
            connections_per_environment=connections_per_environment,
        )
    else:
        if name is None:
            raise BreakwaterError(
                function,
                "it is connected with a database already.",
                "Give a further one a name: breakwater.database(name) in its code.",
            )
        _refuse_what_the_first_decides(
            function,
            share_weight=share_weight,
            concurrency=concurrency,
            drivers=drivers,
            overlap=overlap,
        )
        downstream, credentials, share = known.add(
            name, downstream, credentials, connections_per_environment=connections_per_environment
        )
    if network is not None:
        if network.closed and credentials.needs_secrets_manager:
            function.connections.allow_to_any_ipv4(ec2.Port.HTTPS, "AWS APIs, Secrets Manager among them")
        network.lead_to(downstream, credentials, function)
    return share


def _function(given: Any) -> lambda_.Function:
    function = unqualified(given)
    if isinstance(function, DatabaseFunction):
        raise BreakwaterError(
            function,
            f"it is {shown(function)}, made for its database.",
            "Call function.add_database(name, …).",
        )
    if not isinstance(function, lambda_.Function):
        raise BreakwaterError(
            function,
            f"it is {shown(function)}, and no lambda_.Function of this app: nothing of it can be set here.",
            "Connect it where it is made.",
        )
    return function


def _network(function: lambda_.Function, downstream: Downstream, vpc: ec2.IVpc | None) -> FunctionNetwork | None:
    server: Any = downstream.server.construct
    if not function.is_bound_to_vpc:
        if downstream.connectable is not None:
            raise BreakwaterError(
                function,
                f"it is outside any VPC, and {server.node.path} is in one.",
                "Give the function vpc=…, or use PublicSslDatabaseFunction for a public database.",
            )
        return None
    resource: Any = function.node.default_child
    ids = resource._cfn_properties["vpcConfig"]["subnetIds"]
    for candidate in (vpc, getattr(server, "vpc", None), vpc_made_here(ids, function)):
        if candidate is not None:
            subnets = [
                subnet
                for subnet in (*candidate.private_subnets, *candidate.isolated_subnets, *candidate.public_subnets)
                if subnet.subnet_id in ids
            ]
            if subnets:
                closed = not any(group.allow_all_outbound for group in function.connections.security_groups)
                return FunctionNetwork(candidate, ec2.SubnetSelection(subnets=subnets), closed)
    raise BreakwaterError(function, "its VPC is not known here.", "Pass vpc=….")


def _options(function: lambda_.Function, network: FunctionNetwork | None) -> dict[str, Any]:
    return {
        "environment": environment_variables(function.node.default_child),
        "architecture": function.architecture,
        "timeout": function.timeout,
        **({} if network is None else {"security_groups": function.connections.security_groups}),
    }


def _refuse_what_the_first_decides(function: lambda_.Function, **given: Any) -> None:
    late = [name for name, value in given.items() if value is not None]
    if late:
        raise BreakwaterError(
            function,
            f"{', '.join(f'{name}={given[name]!r}' for name in late)} is given for a further database.",
            "Give it with the first: the function has one concurrency and one layer.",
        )
