"""The way to Secrets Manager from subnets that have no way out."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

from aws_cdk import Annotations, Stage, Token
from aws_cdk import aws_ec2 as ec2

from .._cdk.late_validation import validate_at_synth
from .._cdk.nag import acknowledge, compliance_rules
from .._cdk.pending_lookups import PENDING_VPC
from .vpc_scope import beneath_vpc
from .way import open_way

if TYPE_CHECKING:
    from collections.abc import Iterator

    from constructs import IConstruct

_SERVICE = re.compile(r"\.secretsmanager($|\$)")  # the CDK leaves a token behind it


def secrets_manager_endpoint(vpc: ec2.IVpc) -> IConstruct | None:
    """Find the endpoint for Secrets Manager in a VPC, whoever of this app made it, or None."""
    return next(_endpoints(vpc), None)


def ensure_secrets_manager_endpoint(vpc: ec2.IVpc, function: ec2.IConnectable, subnets: ec2.SubnetSelection) -> None:
    """Make an interface endpoint for Secrets Manager, unless the VPC has one, and open it to a function.

    Parameters
    ----------
    vpc
        The VPC; one endpoint with private DNS serves all of it.
    function
        Who connects.
    subnets
        Where the endpoint's interfaces go; the first caller's.
    """
    endpoint = secrets_manager_endpoint(vpc) or _make(vpc, subnets)
    if isinstance(endpoint, ec2.InterfaceVpcEndpoint):
        open_way(function.connections.security_groups, endpoint, ec2.Port.HTTPS, "Secrets Manager")
    else:
        Annotations.of(endpoint).add_info_v2(
            "cdk-breakwater:existing-endpoint",
            f"Functions read their secrets through it: its security groups must allow HTTPS from {vpc.node.path}.",
        )


def _make(vpc: ec2.IVpc, subnets: ec2.SubnetSelection) -> ec2.InterfaceVpcEndpoint:
    endpoint = ec2.InterfaceVpcEndpoint(
        *beneath_vpc(vpc, "SecretsManagerEndpoint"),
        vpc=vpc,
        service=ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
        subnets=subnets,
        # Open to the VPC: with private DNS, whoever in it used to reach Secrets Manager otherwise now comes here.
        open=_has_cidr_block(vpc),
    )
    acknowledge(
        endpoint,
        "HTTPS from the VPC's own addresses, whose CIDR block is an attribute that the rule cannot read.",
        "AwsSolutions-EC23",
        *compliance_rules("EC2RestrictedCommonPorts", "EC2RestrictedSSH"),
    )
    remark = "Made since subnets without a way out need it to read secrets; it is billed by the hour."
    if not isinstance(vpc, ec2.Vpc):
        remark += " If the imported VPC has one, import the subnets as private ones, which have a way out."
    Annotations.of(endpoint).add_info_v2("cdk-breakwater:secrets-manager-endpoint", remark)
    validate_at_synth(endpoint, partial(_others, vpc, endpoint))
    return endpoint


def _others(vpc: ec2.IVpc, endpoint: ec2.InterfaceVpcEndpoint) -> list[str]:
    """Find a second endpoint with private DNS: EC2 refuses it, halfway through the deployment."""
    here = [
        f"{other.node.path} is an endpoint for Secrets Manager as well, and private DNS works for one in a VPC. "
        "Make it before the first VpcDatabaseFunction of the VPC, which then uses it."
        for other in _endpoints(vpc)
        if other.node.path != endpoint.node.path
    ]
    return [*here, *_others_in_other_stages(vpc, endpoint)]


def _others_in_other_stages(vpc: ec2.IVpc, endpoint: ec2.InterfaceVpcEndpoint) -> list[str]:
    """Find the endpoints of other Stages in the same VPC, which an id that both import shows."""
    own = Stage.of(endpoint)
    if Token.is_unresolved(vpc.vpc_id) or vpc.vpc_id == PENDING_VPC:
        return []
    return [
        f"{other.node.path} of another Stage is an endpoint for Secrets Manager in the same VPC {vpc.vpc_id}, and "
        "private DNS works for one in a VPC. Make it once, in the stack of the VPC, and import its subnets as private "
        "ones (private_subnet_ids=[…]), which then have a way to Secrets Manager."
        for other in _endpoints_beneath(vpc.node.root, vpc)
        if Stage.of(other) is not own
    ]


def _endpoints(vpc: ec2.IVpc) -> Iterator[IConstruct]:
    stage = Stage.of(vpc)
    yield from _endpoints_beneath(vpc.node.root if stage is None else stage, vpc)


def _endpoints_beneath(scope: IConstruct, vpc: ec2.IVpc) -> Iterator[IConstruct]:
    for construct in scope.node.find_all():
        if isinstance(construct, ec2.CfnVPCEndpoint) and _serves(construct, vpc):
            owner: Any = construct.node.scope
            yield owner if isinstance(owner, ec2.InterfaceVpcEndpoint) else construct


def _serves(resource: ec2.CfnVPCEndpoint, vpc: ec2.IVpc) -> bool:
    return (
        resource.vpc_id == vpc.vpc_id
        and _SERVICE.search(resource.service_name or "") is not None
        # Not the L1's attribute: in Python, reading one that is an IResolvable raises.
        and resource._cfn_properties.get("privateDnsEnabled") is True
    )


def _has_cidr_block(vpc: ec2.IVpc) -> bool:
    try:
        return Token.is_unresolved(vpc.vpc_cidr_block) or bool(vpc.vpc_cidr_block)
    except RuntimeError:  # an imported VPC without one
        return False
