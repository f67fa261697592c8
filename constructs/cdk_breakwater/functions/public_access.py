"""Opening a public database's security group: to every address, or to those of a list, and for a stated reason only."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from aws_cdk import Annotations, Token
from aws_cdk import aws_ec2 as ec2

from .._cdk.nag import acknowledge, compliance_rules
from .._cdk.pending_lookups import is_pending
from ..errors import BreakwaterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from constructs import IConstruct

    from ..downstreams.downstream import Downstream


def open_to_public(
    function: IConstruct, downstream: Downstream, reason: str | None, allowed_cidrs: Sequence[str] | None
) -> None:
    """Open the database's port.

    Parameters
    ----------
    function
        Names the construct in errors.
    downstream
        The database.
    reason
        Why it is open; None opens nothing.
    allowed_cidrs
        The addresses; None for every one.

    Raises
    ------
    BreakwaterError
        When the reason is empty, or blocks are given without one; when a block is none, or is every address.
    """
    if reason is None:
        if allowed_cidrs is not None:
            raise BreakwaterError(
                function,
                f"allowed_cidrs={list(allowed_cidrs)} is given without acknowledge_public_access.",
                "Give the reason why the database is open to these addresses in acknowledge_public_access.",
            )
        Annotations.of(function).add_warning_v2(
            "cdk-breakwater:public-access-not-acknowledged",
            f"acknowledge_public_access is not given, so nothing opens {downstream.construct.node.path} to the "
            "function. It can't connect unless the database is opened by other means. Give the reason why the "
            "database is public in acknowledge_public_access.",
        )
        return
    if not reason.strip():
        raise BreakwaterError(
            function,
            "acknowledge_public_access is empty.",
            "Give the reason why the database is open to every address.",
        )
    peers = [ec2.Peer.any_ipv4()] if allowed_cidrs is None else _peers(function, allowed_cidrs)
    if downstream.connectable is None:
        Annotations.of(function).add_info_v2(
            "cdk-breakwater:nothing-to-open",
            f"{downstream.construct.node.path} has no security group here, so acknowledge_public_access opens nothing.",
        )
        return
    for peer in peers:
        downstream.connectable.connections.allow_from(
            peer, ec2.Port.tcp(downstream.port), "public, TLS enforced by the server"
        )
    rules = compliance_rules("RDSInstancePublicAccess")
    if allowed_cidrs is None:
        rules += [
            "AwsSolutions-EC23",
            "CloudFormation-Validate::W9011",
            "CloudFormation-Validate::W2508",
            *compliance_rules("EC2RestrictedCommonPorts"),
        ]
    else:
        Annotations.of(function).add_info_v2(
            "cdk-breakwater:allowed-cidrs-of-lambda",
            "A function outside any VPC has no IP address of its own. It uses one of those that AWS's "
            "ip-ranges.json lists for EC2 in the Region, and reaches the database only if allowed_cidrs contains "
            "them.",
        )
    acknowledge(downstream.construct, f"{reason} (TLS is enforced by the server and verified by the client.)", *rules)


def _peers(function: IConstruct, allowed_cidrs: Sequence[str]) -> list[ec2.IPeer]:
    if isinstance(allowed_cidrs, str) or not allowed_cidrs:
        raise BreakwaterError(
            function, f"allowed_cidrs is {allowed_cidrs!r}.", "Give a list of blocks, such as ['203.0.113.7/32']."
        )
    return [_peer(function, cidr) for cidr in allowed_cidrs]


def _peer(function: IConstruct, cidr: str) -> ec2.IPeer:
    if Token.is_unresolved(cidr):  # the address of a NAT gateway of this app
        return ec2.Peer.ipv4(cidr)
    if is_pending(cidr):
        return ec2.Peer.any_ipv4()
    try:
        network = ipaddress.ip_network(cidr)
    except ValueError as error:
        raise BreakwaterError(
            function,
            f"allowed_cidrs has {cidr!r}, which is not a CIDR block ({error}).",
            "Write it as '203.0.113.0/24'.",
        ) from error
    if "/" not in cidr:
        raise BreakwaterError(function, f"allowed_cidrs has {cidr!r}, an address.", f"Write it as '{network}'.")
    if network.prefixlen == 0:
        raise BreakwaterError(
            function, f"allowed_cidrs has {cidr!r}, which is every address.", "Leave allowed_cidrs out to open it so."
        )
    return ec2.Peer.ipv4(cidr) if network.version == 4 else ec2.Peer.ipv6(cidr)
