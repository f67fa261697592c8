"""The way from a function's security group to its database: one port, and said so where it cannot be opened here."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import jsii
from aws_cdk import Annotations, Token
from aws_cdk import aws_ec2 as ec2
from constructs import IValidation

if TYPE_CHECKING:
    from aws_cdk import aws_lambda as lambda_

    from ..downstreams.downstream import Downstream


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
    database = downstream.connectable
    if database is not None and database.connections.security_groups:
        _allow(function, downstream, database)
        return
    if own_security_group:
        function.connections.allow_to_any_ipv4(
            ec2.Port.tcp(downstream.port), f"{downstream.engine.value} at an address known at deployment"
        )
    if database is not None:
        Annotations.of(function).add_info_v2(
            "cdk-breakwater:database-without-security-group",
            f"{downstream.construct.node.path} has no security group here: its own must let port "
            f"{_written(downstream.port)} in from {_names(function)}.",
        )


def _allow(function: lambda_.Function, downstream: Downstream, database: ec2.IConnectable) -> None:
    groups = database.connections.security_groups
    if all(_rules(group, function, downstream.port) for group in groups):
        return  # EC2 refuses a second rule of the same kind
    # Seen from the function, so that both rules stand in its stack: the other way round, a database in a stack of its
    # own would depend on the function that depends on it.
    function.connections.allow_to(database, ec2.Port.tcp(downstream.port), downstream.engine.value)
    function.node.add_validation(_SecurityGroupRuleValidation(function, downstream, groups))
    # An imported group with mutable=False, or one that was looked up, silently takes no rule.
    if not any(_rules(group, function, downstream.port) for group in groups):
        Annotations.of(function).add_warning_v2(
            "cdk-breakwater:security-group-not-changed",
            f"the security group {groups[0].node.path} of {downstream.construct.node.path} cannot be changed here: it "
            f"must let port {_written(downstream.port)} in from {_names(function)}, or be imported with mutable=True.",
        )


@jsii.implements(IValidation)
class _SecurityGroupRuleValidation:
    """Two rules for one port, written once as a number and once as the database's attribute: EC2 refuses the second."""

    def __init__(self, function: lambda_.Function, downstream: Downstream, groups: list[ec2.ISecurityGroup]) -> None:
        self._function = function
        self._downstream = downstream
        self._groups = groups

    def validate(self) -> list[str]:
        paths: defaultdict[tuple[str, str | None], list[str]] = defaultdict(list)
        for group in self._groups:
            for rule in _rules(group, self._function, self._downstream.port):
                paths[group.security_group_id, rule.source_security_group_id].append(rule.node.path)
        return [
            f"{' and '.join(sorted(rules))} open the same port of {self._downstream.construct.node.path} to the same "
            "security group, and EC2 refuses the second. Remove the call of connections.allow_…: the port is open "
            "already."
            for rules in paths.values()
            if len(rules) > 1
        ]


def _rules(group: ec2.ISecurityGroup, function: lambda_.Function, port: float) -> list[ec2.CfnSecurityGroupIngress]:
    sources = function.connections.security_groups
    of_sources = {source.security_group_id for source in sources}
    found = {
        child.node.path: child
        for owner in (group, *sources)
        for child in owner.node.children
        if isinstance(child, ec2.CfnSecurityGroupIngress)
        and child.group_id == group.security_group_id
        and child.source_security_group_id in of_sources
        and _covers(child, port)
    }
    return list(found.values())


def _covers(rule: ec2.CfnSecurityGroupIngress, port: float) -> bool:
    # A port that is known at deployment only is the database's own attribute.
    ends = (rule.from_port, rule.to_port)
    return all(end is not None and (end == port or Token.is_unresolved(end)) for end in ends)


def _names(function: lambda_.Function) -> str:
    return ", ".join(group.node.path for group in function.connections.security_groups)


def _written(port: float) -> Any:
    return "of the database" if Token.is_unresolved(port) else int(port)
