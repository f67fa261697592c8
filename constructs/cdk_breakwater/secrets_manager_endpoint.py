"""The way to Secrets Manager from subnets that have no way out."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from aws_cdk import Annotations
from aws_cdk import aws_ec2 as ec2

from .acknowledgements import acknowledge, compliance_rules

if TYPE_CHECKING:
    from constructs import Construct, IConstruct

_ID = "SecretsManagerEndpoint"


def secrets_manager_endpoint(vpc: ec2.IVpc) -> IConstruct | None:
    """Find the endpoint that `ensure_secrets_manager_endpoint` made in a VPC, or None."""
    return vpc.node.try_find_child(_ID)


def ensure_secrets_manager_endpoint(
    vpc: ec2.IVpc, function: ec2.IConnectable, subnets: ec2.SubnetSelection
) -> ec2.InterfaceVpcEndpoint:
    """Make an interface endpoint for Secrets Manager, once per VPC, and open it to a function.

    Parameters
    ----------
    vpc
        The VPC; one endpoint with private DNS serves all of it.
    function
        Who connects.
    subnets
        Where the endpoint's interfaces go; the first caller's.
    """
    endpoint = vpc.node.try_find_child(_ID)
    if not isinstance(endpoint, ec2.InterfaceVpcEndpoint):
        endpoint = ec2.InterfaceVpcEndpoint(
            cast("Construct", vpc),  # a child of the VPC, so that functions of every stack find the same one
            _ID,
            vpc=vpc,
            service=ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
            subnets=subnets,
            # Open to the VPC: with private DNS, whoever in it used to reach Secrets Manager otherwise now comes here.
            open=True,
        )
        acknowledge(
            endpoint,
            "HTTPS from the VPC's own addresses, whose CIDR block is an attribute that the rule cannot read.",
            "AwsSolutions-EC23",
            *compliance_rules("EC2RestrictedCommonPorts", "EC2RestrictedSSH"),
        )
        Annotations.of(endpoint).add_info(
            "Made since subnets without a way out need it to read secrets; it is billed by the hour."
        )
    function.connections.allow_to(endpoint, ec2.Port.HTTPS, "Secrets Manager")
    return endpoint
