"""EC2 refuses duplicate security group rules, so ours is removed at synth where the app has the same one.

The app's keeps its logical id, whether it was made before ours or after, by this handle of the group or another.
"""

from __future__ import annotations

import json
from collections import defaultdict
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import jsii
from aws_cdk import AspectPriority, Aspects, IAspect, Stack

from .._cdk.app_identity import app_identity
from .._cdk.references import references
from .._cdk.rendered import rendered_resources
from ..network.security_group_capacity import watch_security_group_capacity

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
    path: str
    resource: Any
    between: str
    """The direction and both groups, as rendered."""
    ports: tuple[Any, ...]

    def targets(self, *properties: str) -> list[str]:
        """Return the paths of what properties refer to."""
        given = self.resource._cfn_properties
        return [target.node.path for target in references([given.get(name) for name in properties], self.resource)]


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
            watch_security_group_capacity(rule, own._databases)
            # After the Aspects of the app, which may change what a rule says.
            Aspects.of(rule).add(cast("IAspect", own), priority=AspectPriority.READONLY)
        own._databases[rule.node.path] = database

    def visit(self, node: IConstruct) -> None:
        """Take away those that the app has as well."""
        alike: defaultdict[str, list[_Rule]] = defaultdict(list)
        for rule in _rules(node.node.root):
            alike[rule.between].append(rule)
        for rules in alike.values():
            if len(rules) > 1:
                self._leave_one_of_each(rules)

    def _leave_one_of_each(self, rules: list[_Rule]) -> None:
        @cache
        def place(path: str) -> tuple[str, list[str]]:
            resource = next(rule for rule in rules if rule.path == path)
            return Stack.of(resource.resource).node.path, resource.targets(*_GROUPS)

        for own in rules:
            database = self._databases.get(own.path)
            if database is not None and any(
                self._replaces(rule, own, database) and _same_groups(place(rule.path), place(own.path))
                for rule in rules
            ):
                del self._databases[own.path]
                own.resource.node.scope.node.try_remove_child(own.resource.node.id)

    def _replaces(self, rule: _Rule, own: _Rule, database: IConstruct) -> bool:
        return (
            rule.path != own.path
            and (rule.ports == own.ports or _of_database(rule, database) or _of_database(own, database))
            # Of two of ours, the later one goes.
            and (rule.path not in self._databases or rule.path < own.path)
        )


def _rules(root: IConstruct) -> Iterator[_Rule]:
    for type_, peer in _PEERS.items():
        for resource, properties in rendered_resources(root, type_, "GroupId", peer, *_PORTS):
            if peer in properties:
                between = _between(peer, properties.get("GroupId"), properties[peer])
                yield _Rule(resource.node.path, resource, between, _ports(properties))
    for resource, properties in rendered_resources(root, "AWS::EC2::SecurityGroup", *_INLINE):
        for name, peer in _INLINE.items():
            for rule in properties.get(name, []):
                if peer in rule:
                    group = Stack.of(resource).resolve(resource.attr_group_id)
                    yield _Rule(resource.node.path, resource, _between(peer, group, rule[peer]), _ports(rule))


_PORTS = ("IpProtocol", "FromPort", "ToPort")
_GROUPS = ("groupId", "sourceSecurityGroupId", "destinationSecurityGroupId")


def _between(direction: str, group: Any, peer: Any) -> str:
    return json.dumps([direction, group, peer], sort_keys=True)


def _ports(properties: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(properties.get(name) for name in _PORTS)


def _of_database(rule: _Rule, database: IConstruct) -> bool:
    """Whether a rule's port is the database's own attribute: known at deployment only, and the same as ours."""
    _, *ends = rule.ports
    if not all(isinstance(end, dict) for end in ends):
        return False
    found = rule.targets("fromPort", "toPort")
    return bool(found) and all(f"{path}/".startswith(f"{database.node.path}/") for path in found)


def _same_groups(one: tuple[str, list[str]], other: tuple[str, list[str]]) -> bool:
    # Within one stack, what is rendered alike is the same; elsewhere, logical ids are others' too.
    return one[0] == other[0] or one[1] == other[1]
