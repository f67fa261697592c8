"""A rule from a function to what it connects to, in the security groups of both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_ec2 as ec2

if TYPE_CHECKING:
    from collections.abc import Sequence


def open_way(groups: Sequence[ec2.ISecurityGroup], to: ec2.IConnectable, port: ec2.Port, description: str) -> None:
    """Let groups in where they connect to, and out of themselves where they are closed.

    The rules stand in the stack of `groups`: the other way round, a database in a stack of its own would depend on the
    function that depends on it. A group that lets everything out is a peer alone, since the CDK would warn at every
    synth of the rule that it leaves out.
    """
    for group in groups:
        side = ec2.Connections(peer=group) if group.allow_all_outbound else ec2.Connections(security_groups=[group])
        side.allow_to(to, port, description)
