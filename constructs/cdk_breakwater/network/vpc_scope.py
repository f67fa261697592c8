"""Where things stand that are made once for a VPC."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Names, Stack
from constructs import Construct

if TYPE_CHECKING:
    from aws_cdk import aws_ec2 as ec2


def beneath_vpc(vpc: ec2.IVpc, id: str) -> tuple[Construct, str]:
    """Return scope and id for a child of a VPC.

    In Python an imported VPC is no Construct, so what belongs to it stands in its stack, with its name in the id.
    """
    if isinstance(vpc, Construct):
        return vpc, id
    return Stack.of(vpc), f"{Names.node_unique_id(vpc.node)}{id}"
