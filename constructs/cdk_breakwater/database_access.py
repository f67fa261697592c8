"""The way from a function's security group to its database: one port, and said so where it cannot be opened here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_cdk import Annotations
from aws_cdk import aws_ec2 as ec2

if TYPE_CHECKING:
    from aws_cdk import aws_lambda as lambda_

    from .downstream import Downstream


def allow_to_database(function: lambda_.Function, downstream: Downstream, *, own_security_group: bool) -> None:
    """Open the database's port to a function, in both of their security groups.

    Parameters
    ----------
    function
        Who connects.
    downstream
        The database.
    own_security_group
        Whether the function's security group was made for it, and lets out nothing that is not allowed here.
    """
    port = ec2.Port.tcp(downstream.port)
    groups: list[ec2.ISecurityGroup] = (
        [] if downstream.connectable is None else downstream.connectable.connections.security_groups
    )
    if downstream.connectable is not None and groups:
        # Seen from the function, so that both rules stand in its stack: the other way round, a database in a stack of
        # its own would depend on the function that depends on it.
        function.connections.allow_to(downstream.connectable, port, downstream.engine.value)
        _warn_of_immutable(function, downstream, groups)
        return
    if own_security_group:
        function.connections.allow_to_any_ipv4(port, f"{downstream.engine.value} at an address known at deployment")
    if downstream.connectable is not None:
        Annotations.of(function).add_info(
            f"{downstream.construct.node.path} has no security group here: its own must let port "
            f"{_written(downstream.port)} in from {_names(function)}."
        )


def _warn_of_immutable(function: lambda_.Function, downstream: Downstream, groups: list[ec2.ISecurityGroup]) -> None:
    # An imported group with mutable=False, or one that was looked up, silently takes no rule.
    closed = [group for group in groups if not _lets_in(group, function)]
    if len(closed) == len(groups):
        Annotations.of(function).add_warning_v2(
            "cdk-breakwater:security-group-not-changed",
            f"the security group {closed[0].node.path} of {downstream.construct.node.path} cannot be changed here: it "
            f"must let port {_written(downstream.port)} in from {_names(function)}, or be imported with mutable=True.",
        )


def _lets_in(group: ec2.ISecurityGroup, function: lambda_.Function) -> bool:
    sources = function.connections.security_groups
    rules = [
        child
        for owner in (group, *sources)
        for child in owner.node.children
        if isinstance(child, ec2.CfnSecurityGroupIngress)
    ]
    of_sources = {source.security_group_id for source in sources}
    return any(
        rule.group_id == group.security_group_id and rule.source_security_group_id in of_sources for rule in rules
    )


def _names(function: lambda_.Function) -> str:
    return ", ".join(group.node.path for group in function.connections.security_groups)


def _written(port: float) -> Any:
    from aws_cdk import Token

    return "of the database" if Token.is_unresolved(port) else int(port)
