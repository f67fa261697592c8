"""Whether subnets have addresses enough for the network interfaces in them."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from aws_cdk import Annotations, Reference, Stage, Token, Tokenization
from constructs import Construct

from .._cdk.late_validation import validate_at_synth
from .vpc_scope import beneath_vpc

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from aws_cdk import aws_ec2 as ec2
    from constructs import IConstruct

# Network, router, DNS, one for the future, broadcast. Source: Amazon VPC User Guide, "Subnet CIDR blocks".
_KEPT_BY_AWS = 5


class SubnetAddresses(Construct):
    """Warns at synth of subnets of a VPC that have fewer addresses than this app's interfaces need.

    Counted per subnet are what must be there at the least: one interface of Lambda for each set of security groups
    (AWS Lambda Developer Guide, "Understanding Hyperplane ENIs"; functions with the same set share it), one for each
    interface endpoint and each RDS Proxy, and one for each database instance that may come up in it, be it after a
    failover. Subnets whose CIDR block is not known at synth are passed over.
    """

    @staticmethod
    def watch(vpc: ec2.IVpc) -> None:
        """Watch a VPC's private and isolated subnets, once."""
        scope, id = beneath_vpc(vpc, "SubnetAddresses")
        if scope.node.try_find_child(id) is None:
            validate_at_synth(SubnetAddresses(scope, id), partial(_compare, vpc))


def _compare(vpc: ec2.IVpc) -> None:
    """Warn; an app that was deployed already may have what it needs, so nothing fails."""
    sizes = {subnet: _addresses(subnet) for subnet in (*vpc.private_subnets, *vpc.isolated_subnets)}
    if any(size is not None for size in sizes.values()):
        interfaces = _interfaces(vpc)
        for subnet, size in sizes.items():
            if size is not None:
                _warn(subnet, size, interfaces[subnet.subnet_id])


def _warn(subnet: ec2.ISubnet, size: int, interfaces: dict[str, set[Any]]) -> None:
    need = sum(len(holders) for holders in interfaces.values())
    if need > size:
        parts = ", ".join(f"{len(holders)} for {kind}" for kind, holders in interfaces.items())
        Annotations.of(subnet).add_warning_v2(
            "cdk-breakwater:subnet-addresses",
            f"{subnet.ipv4_cidr_block} has {size} addresses, AWS's {_KEPT_BY_AWS} taken off, and at least {need} are "
            f"needed: {parts}. Give functions a security group in common (security_groups=[…]), since those with the "
            "same ones share an interface, or take a larger subnet.",
        )


def _addresses(subnet: ec2.ISubnet) -> int | None:
    try:
        block = subnet.ipv4_cidr_block
    except RuntimeError:  # an imported subnet without one
        return None
    # Not strict: a look-up's subnets are 1.2.3.4/5 in the CLI's first pass.
    return (
        None if Token.is_unresolved(block) else ipaddress.ip_network(block, strict=False).num_addresses - _KEPT_BY_AWS
    )


def _interfaces(vpc: ec2.IVpc) -> defaultdict[str, dict[str, set[Any]]]:
    """Give for each subnet's id, and each kind of interface, who needs an address."""
    found: defaultdict[str, dict[str, set[Any]]] = defaultdict(dict)
    scope: IConstruct = Stage.of(vpc) or vpc.node.root
    for resource in scope.node.find_all():
        for kind, holder, subnets in _needs(resource):
            for subnet in subnets:
                found[subnet].setdefault(kind, set()).add(holder)
    return found


def _needs(resource: Any) -> Iterator[tuple[str, Any, Iterable[str]]]:
    # By name, since an app without RDS should not have to load it.
    kind = type(resource).__name__
    if kind == "CfnFunction":
        # Not the L1's attribute: in Python, reading one that is an IResolvable raises.
        network = resource._cfn_properties.get("vpcConfig")
        if isinstance(network, dict):
            groups = frozenset(network.get("securityGroupIds") or [])
            yield "sets of functions' security groups", groups, network.get("subnetIds") or []
    elif kind == "CfnVPCEndpoint":
        yield "interface endpoints", resource.node.path, resource.subnet_ids or []
    elif kind == "CfnDBProxy":
        yield "proxies", resource.node.path, resource.vpc_subnet_ids or []
    elif kind == "CfnDBInstance":
        group = _target(getattr(resource, "db_subnet_group_name", None))
        yield "database instances", resource.node.path, getattr(group, "subnet_ids", None) or []


def _target(name: str | None) -> Any:
    token = None if name is None else Tokenization.reverse_string(name).first_token
    return cast("Reference", token).target if Reference.is_reference(token) else None
