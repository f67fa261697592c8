"""Whether a function's VPC leads to its database's: said at synth where this app shows no way between the two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_cdk import Annotations, Stack, Token
from aws_cdk import aws_ec2 as ec2

from .._cdk.rendered import rendered_resources

if TYPE_CHECKING:
    from constructs import IConstruct

_WAYS = (
    "AWS::EC2::VPCPeeringConnection",
    "AWS::EC2::TransitGatewayAttachment",
    "AWS::EC2::TransitGatewayVpcAttachment",
)


def warn_of_another_vpc(function: IConstruct, vpc: ec2.IVpc, database: IConstruct) -> None:
    """Warn of a database in another Region, or in another VPC, that nothing in this app connects with the function's.

    Parameters
    ----------
    function
        Who connects.
    vpc
        Where it stands.
    database
        The construct of the database; one whose network is not known is passed over.
    """
    theirs: Any = getattr(database, "vpc", None)
    here, there = Stack.of(function).region, Stack.of(database).region
    if not (Token.is_unresolved(here) or Token.is_unresolved(there)) and here != there:
        what = f"is in {there}, and the function in {here}"
    elif theirs is not None and _differ(vpc, theirs):
        what = f"is in the VPC {theirs.node.path}, and the function in {vpc.node.path}"
    else:
        return
    if any(rendered_resources(function.node.root, way) for way in _WAYS):
        return
    Annotations.of(function).add_warning_v2(
        "cdk-breakwater:another-network",
        f"{database.node.path} {what}: nothing in this app leads from one to the other, and it cannot connect without "
        "a peering or a transit gateway.",
    )


def _differ(one: ec2.IVpc, other: ec2.IVpc) -> bool:
    ids = (one.vpc_id, other.vpc_id)
    if ids[0] == ids[1]:
        return False
    # An imported handle may be that of a VPC of this app.
    both_made_here = isinstance(one, ec2.Vpc) and isinstance(other, ec2.Vpc)
    return both_made_here or not any(Token.is_unresolved(id_) for id_ in ids)
