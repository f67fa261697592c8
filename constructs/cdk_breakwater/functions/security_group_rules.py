"""The way from a function's security group to its database: one port, and said so where it cannot be opened here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_cdk import Annotations, Token
from aws_cdk import aws_ec2 as ec2

from ..network.way import open_way
from .duplicate_rule_removal import OwnRules

if TYPE_CHECKING:
    from aws_cdk import aws_lambda as lambda_
    from constructs import IConstruct

    from ..downstreams.downstream import Downstream


def allow_to_database(function: lambda_.Function, downstream: Downstream, *, closed: bool, reads_secret: bool) -> None:
    """Open the database's port to a function, in both of their security groups.

    Parameters
    ----------
    function
        Who connects.
    downstream
        The database.
    closed
        Whether the function's security groups let out nothing that is not allowed here.
    reads_secret
        Whether it needs Secrets Manager, too.
    """
    database = downstream.connectable
    if database is not None and database.connections.security_groups:
        _allow(function, downstream, database)
    else:
        _allow_anywhere(function, downstream, database, closed=closed)
    if closed and not any(_can_be_changed(group) for group in function.connections.security_groups):
        secret = " and HTTPS to Secrets Manager" if reads_secret else ""
        Annotations.of(function).add_warning_v2(
            "cdk-breakwater:security-group-not-changed",
            f"its security group {_names(function)} cannot be changed here: it must let port "
            f"{_written(downstream.port)} out to {downstream.construct.node.path}{secret}, or be imported with "
            "mutable=True.",
        )


def _can_be_changed(group: ec2.ISecurityGroup) -> bool:
    """Whether it is of this app, or has taken a rule."""
    return group.node.default_child is not None or any(
        isinstance(child, ec2.CfnSecurityGroupEgress) for child in group.node.children
    )


def _allow_anywhere(
    function: lambda_.Function, downstream: Downstream, database: ec2.IConnectable | None, *, closed: bool
) -> None:
    if closed:
        function.connections.allow_to_any_ipv4(
            ec2.Port.tcp(downstream.port), f"{downstream.engine.value} at an address known at deployment"
        )
    if database is not None:
        Annotations.of(function).add_info_v2(
            "cdk-breakwater:database-without-security-group",
            f"{downstream.construct.node.path} has no security group in this app. Its security group must let port "
            f"{_written(downstream.port)} in from {_names(function)}.",
        )


def _allow(function: lambda_.Function, downstream: Downstream, database: ec2.IConnectable) -> None:
    groups = database.connections.security_groups
    made_before = _rules(function, groups).keys()
    port = ec2.Port.tcp(downstream.port)
    open_way(function.connections.security_groups, database, port, downstream.engine.value)
    rules = _rules(function, groups)
    for path in rules.keys() - made_before:
        OwnRules.note(rules[path], downstream.construct)
    # An imported group with mutable=False, or one that was looked up, silently takes no rule.
    if not any(isinstance(rule, ec2.CfnSecurityGroupIngress) for rule in rules.values()):
        Annotations.of(function).add_warning_v2(
            "cdk-breakwater:security-group-not-changed",
            f"the security group {groups[0].node.path} of {downstream.construct.node.path} cannot be changed here: it "
            f"must let port {_written(downstream.port)} in from {_names(function)}, or be imported with mutable=True.",
        )


def _rules(function: lambda_.Function, groups: list[ec2.ISecurityGroup]) -> dict[str, IConstruct]:
    """Return the rules between a function and its database by their paths, wherever the CDK put them."""
    sources = function.connections.security_groups
    ids = [{group.security_group_id for group in side} for side in (groups, sources)]
    return {
        child.node.path: child
        for owner in (*groups, *sources)
        for child in owner.node.children
        if (
            isinstance(child, ec2.CfnSecurityGroupIngress)
            and child.group_id in ids[0]
            and child.source_security_group_id in ids[1]
        )
        or (
            isinstance(child, ec2.CfnSecurityGroupEgress)
            and child.group_id in ids[1]
            and child.destination_security_group_id in ids[0]
        )
    }


def _names(function: lambda_.Function) -> str:
    return ", ".join(group.node.path for group in function.connections.security_groups)


def _written(port: float) -> Any:
    return "of the database" if Token.is_unresolved(port) else int(port)
