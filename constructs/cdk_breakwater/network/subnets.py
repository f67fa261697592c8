"""The subnets of a VPC in which functions and proxies stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_cdk import aws_ec2 as ec2

from .._cdk.references import references
from ..errors import BreakwaterError

if TYPE_CHECKING:
    from constructs import IConstruct


def private_subnets(path: str, vpc: ec2.IVpc, given: ec2.SubnetSelection | None) -> ec2.SubnetSelection:
    """Return the subnets that are given, or else those with a way out, or else the isolated ones.

    Raises
    ------
    BreakwaterError
        When they are public, or there are none.
    """
    if given is None:
        if vpc.private_subnets:
            return ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS)
        if vpc.isolated_subnets:
            return ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
        raise BreakwaterError(
            path,
            f"the VPC {vpc.node.path} has no private subnet, and in a public one a function can't reach the internet.",
            "Add private or isolated subnets to the VPC. Or create a lambda_.Function(…, allow_public_subnet=True) and "
            "connect it with Downstream.of(…).connect(function), which creates the endpoint through which it reads its "
            "secret. PublicSslDatabaseFunction is only for a public database.",
        )
    chosen = select(vpc, given)
    if chosen.has_public:
        raise BreakwaterError(
            path,
            f"vpc_subnets selects public subnets of {vpc.node.path}, where a function has no route to the internet.",
            "Select private subnets: PRIVATE_WITH_EGRESS or PRIVATE_ISOLATED.",
        )
    return given


def select(vpc: ec2.IVpc, subnets: ec2.SubnetSelection) -> ec2.SelectedSubnets:
    """Look up a selection."""
    names = ("availability_zones", "one_per_az", "subnet_filters", "subnet_group_name", "subnets", "subnet_type")
    return vpc.select_subnets(**{name: getattr(subnets, name) for name in names})


def without_way_out(vpc: ec2.IVpc, subnets: ec2.SubnetSelection) -> bool:
    """Whether a function has no way out of some of the subnets: isolated ones, public ones, and those with IPv6 alone.

    A function gets no public address. Source: AWS Lambda Developer Guide, "Giving Lambda functions access to resources
    in an Amazon VPC".
    """
    # Nothing is known of a subnet that the VPC does not list.
    known = {subnet.subnet_id for subnet in (*vpc.isolated_subnets, *vpc.public_subnets, *vpc.private_subnets)}
    return not known.intersection(select(vpc, subnets).subnet_ids) <= with_way_out(vpc)


def with_way_out(vpc: ec2.IVpc) -> set[str]:
    """Return the ids of the subnets that lead a function out, see `without_way_out`."""
    return {subnet.subnet_id for subnet in vpc.private_subnets if not _leads_out_by_ipv6_alone(subnet)}


def _leads_out_by_ipv6_alone(subnet: ec2.ISubnet) -> bool:
    """Whether it is one of a dual-stack VPC without a NAT gateway: the SDK calls AWS by IPv4.

    Source: AWS SDKs and Tools Reference Guide, "Dual-stack and FIPS endpoints", use_dualstack_endpoint.
    """
    routes = [child for child in subnet.node.children if isinstance(child, ec2.CfnRoute)]
    return bool(routes) and all(route.destination_ipv6_cidr_block is not None for route in routes)


def vpc_made_here(subnet_ids: Any, scope: IConstruct) -> ec2.Vpc | None:
    """Find the VPC of this app whose subnets a rendered property of a construct names, or None."""
    found = [target.node.scope for target in references(subnet_ids, scope)]
    vpcs = (subnet.node.scope for subnet in found if subnet is not None)
    return next((vpc for vpc in vpcs if isinstance(vpc, ec2.Vpc)), None)
