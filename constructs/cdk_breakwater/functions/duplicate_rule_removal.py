"""EC2 refuses duplicate security group rules, so ours is removed at synth where the app has the same one.

The app's keeps its logical id, whether it was made before ours or after, by this handle of the group or another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

import jsii
from aws_cdk import AspectPriority, Aspects, IAspect, Stack

from .._cdk.app_identity import app_identity
from .._cdk.references import references
from .._cdk.rendered import rendered_resources

if TYPE_CHECKING:
    from collections.abc import Iterator

    from constructs import IConstruct

_PEERS = {
    "AWS::EC2::SecurityGroupIngress": "SourceSecurityGroupId",
    "AWS::EC2::SecurityGroupEgress": "DestinationSecurityGroupId",
}
_INLINE = {"SecurityGroupIngress": "SourceSecurityGroupId", "SecurityGroupEgress": "DestinationSecurityGroupId"}
# jsii keeps Python objects by weak reference.
_BY_APP: dict[str, OwnRules] = {}


class _Rule(NamedTuple):
    resource: Any
    direction: str
    group: Any
    peer: Any
    ports: tuple[Any, ...]

    def targets(self, value: Any) -> list[str]:
        return [target.node.path for target in references(value, self.resource)]


@jsii.implements(IAspect)
class OwnRules:
    """The rules that this library has made in an app, each with the database that it leads to."""

    def __init__(self) -> None:
        self._databases: dict[str, IConstruct] = {}

    @staticmethod
    def note(rule: IConstruct, database: IConstruct) -> None:
        """Note a rule that was made here, an L1 construct."""
        app = app_identity(rule)
        own = _BY_APP.get(app)
        if own is None:
            own = _BY_APP[app] = OwnRules()
            # After the Aspects of the app, which may change what a rule says.
            Aspects.of(rule).add(cast("IAspect", own), priority=AspectPriority.READONLY)
        own._databases[rule.node.path] = database

    def visit(self, node: IConstruct) -> None:
        """Take away those that the app has as well."""
        rules = list(_rules(node.node.root))
        for own in rules:
            database = self._databases.get(own.resource.node.path)
            if database is not None and any(self._replaces(rule, own, database) for rule in rules):
                del self._databases[own.resource.node.path]
                own.resource.node.scope.node.try_remove_child(own.resource.node.id)

    def _replaces(self, rule: _Rule, own: _Rule, database: IConstruct) -> bool:
        return (
            (rule.direction, rule.group, rule.peer) == (own.direction, own.group, own.peer)
            and rule.resource.node.path != own.resource.node.path
            and (rule.ports == own.ports or _of_database(rule, database) or _of_database(own, database))
            and _same_groups(rule, own)
            # Of two of ours, the later one goes.
            and (rule.resource.node.path not in self._databases or rule.resource.node.path < own.resource.node.path)
        )


def _rules(root: IConstruct) -> Iterator[_Rule]:
    for type_, peer in _PEERS.items():
        for resource, properties in rendered_resources(root, type_, "GroupId", peer, *_PORTS):
            if peer in properties:
                yield _Rule(resource, peer, properties.get("GroupId"), properties[peer], _ports(properties))
    for resource, properties in rendered_resources(root, "AWS::EC2::SecurityGroup", *_INLINE):
        for name, peer in _INLINE.items():
            for rule in properties.get(name, []):
                if peer in rule:
                    group = Stack.of(resource).resolve(resource.attr_group_id)
                    yield _Rule(resource, peer, group, rule[peer], _ports(rule))


_PORTS = ("IpProtocol", "FromPort", "ToPort")


def _ports(properties: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(properties.get(name) for name in _PORTS)


def _of_database(rule: _Rule, database: IConstruct) -> bool:
    """Whether a rule's port is the database's own attribute: known at deployment only, and the same as ours."""
    _, *ends = rule.ports
    if not all(isinstance(end, dict) for end in ends):
        return False
    given = rule.resource._cfn_properties
    found = rule.targets([given.get("fromPort"), given.get("toPort")])
    return bool(found) and all(f"{path}/".startswith(f"{database.node.path}/") for path in found)


def _same_groups(one: _Rule, other: _Rule) -> bool:
    # Within one stack, what is rendered alike is the same; elsewhere, logical ids are others' too.
    if Stack.of(one.resource).node.path == Stack.of(other.resource).node.path:
        return True
    names = ("groupId", "sourceSecurityGroupId", "destinationSecurityGroupId")
    ids = ([rule.resource._cfn_properties.get(name) for name in names] for rule in (one, other))
    first, second = ids
    return one.targets(first) == other.targets(second)
