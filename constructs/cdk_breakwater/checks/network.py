"""Whether a function's packets reach a server: security groups, and the ranges that they let in."""

from __future__ import annotations

from collections import defaultdict
from enum import IntEnum
from ipaddress import IPv4Network, ip_network
from typing import TYPE_CHECKING, TypeAlias

from .answers import ABSENT, Answer, Block, Items, Reference, Unknown
from .resource import as_number

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .assembly import Assembly
    from .resource import Resource
    from .template import Template

Group: TypeAlias = "Resource | tuple[Template, str]"
"""A security group of the templates, or the text that stands for one elsewhere, such as ``{GroupParameter}``."""

_PRIVATE = [IPv4Network("10.0.0.0/8"), IPv4Network("172.16.0.0/12"), IPv4Network("192.168.0.0/16")]


class Way(IntEnum):
    """How a server may be reached."""

    NONE = 0
    RANGE = 1
    """By a range of addresses."""
    GROUP = 2
    """By a security group."""


class _Rule:
    """An ingress rule of a group."""

    def __init__(self, template: Template, block: Block) -> None:
        self.template = template
        self.protocol = str(block.get("IpProtocol")).lower()
        self.first, self.last = (as_number(block.get(name), -1) for name in ("FromPort", "ToPort"))
        self.source = group(template, block.get("SourceSecurityGroupId"))
        self.range = block.get("CidrIp")

    def opens(self, port: int | None) -> bool:
        """Tell whether a port is let in."""
        if self.protocol in ("-1", "all"):
            return True
        if self.protocol not in ("tcp", "6"):
            return False
        if port is None or isinstance(self.first, Unknown) or isinstance(self.last, Unknown):
            return True
        return self.first <= port <= self.last

    @property
    def is_range_of_functions(self) -> bool:
        """Whether functions in a VPC have addresses of its range."""
        if isinstance(self.range, Reference):
            return self.range.attribute in ("CidrBlock", "CidrBlockAssociations")
        if not isinstance(self.range, str):
            return False
        try:
            network = ip_network(self.range, strict=False)
        except ValueError:
            return False
        return isinstance(network, IPv4Network) and network.prefixlen < 32 and _overlaps(network)


def _overlaps(network: IPv4Network) -> bool:
    return any(network.overlaps(private) for private in _PRIVATE)


def group(template: Template, answer: Answer) -> Group | None:
    """Take an answer as a security group."""
    resource = template.assembly.names.resource(template, answer)
    if resource is not None:
        return resource
    if isinstance(answer, Unknown) and answer.text:
        return (template, answer.text)
    return (template, str(answer)) if isinstance(answer, str) else None


def groups(resource: Resource, *path: str) -> set[Group]:
    """Give the security groups of a property."""
    answer = resource.get(*path)
    items = list(answer) if isinstance(answer, Items) else [] if answer is ABSENT else [answer]
    return {found for item in items if (found := group(resource.template, item)) is not None}


class Network:
    """The ingress rules of an assembly's security groups."""

    def __init__(self, assembly: Assembly) -> None:
        self._rules: dict[Group, list[_Rule]] = {}
        self._admitted: dict[Group, dict[Group | None, list[_Rule]]] = {}
        for resource in assembly.resources("AWS::EC2::SecurityGroup"):
            inline = resource.items("SecurityGroupIngress")
            blocks = [item for item in inline if isinstance(item, Block)] if isinstance(inline, Items) else []
            self._rules[resource] = [_Rule(resource.template, block) for block in blocks]
        for ingress in assembly.resources("AWS::EC2::SecurityGroupIngress"):
            into, properties = group(ingress.template, ingress.get("GroupId")), ingress.properties
            if into is not None and isinstance(properties, Block):
                self._rules.setdefault(into, []).append(_Rule(ingress.template, properties))

    def way(self, sources: set[Group], into: Iterable[Group], port: int | None) -> Way:
        """Tell how what has some groups reaches what has others."""
        found = Way.NONE
        for target in into:
            admitted = self.admitted(target)
            for source in sources & admitted.keys():
                if not admitted[source] or any(rule.opens(port) for rule in admitted[source]):
                    return Way.GROUP
            if any(rule.opens(port) for rule in admitted.get(None, ())):
                found = Way.RANGE
        return found

    def admitted(self, target: Group) -> dict[Group | None, list[_Rule]]:
        """Give the rules by which a group lets in others, and by None those for the addresses of functions."""
        if target not in self._rules:
            return {target: []}  # a group from elsewhere that both have: nobody would share it otherwise
        if target not in self._admitted:
            found: defaultdict[Group | None, list[_Rule]] = defaultdict(list)
            for rule in self._rules[target]:
                if rule.source is not None:
                    found[rule.source].append(rule)
                if rule.is_range_of_functions:
                    found[None].append(rule)
            self._admitted[target] = dict(found)
        return self._admitted[target]

    def only_private(self, into: Iterable[Group]) -> bool:
        """Tell whether groups that are all known admit private addresses and other groups only."""
        rules = [rule for target in into for rule in self._rules.get(target, [])]
        known = [target in self._rules for target in into]
        return bool(rules) and all(known) and not any(_is_public(rule) for rule in rules)


def network_of(assembly: Assembly) -> Network:
    """Give the network of an assembly."""
    return assembly.choices.cached("network", lambda: Network(assembly))


def _is_public(rule: _Rule) -> bool:
    if not isinstance(rule.range, str):
        return not (rule.range is ABSENT or isinstance(rule.range, Reference))
    try:
        network = ip_network(rule.range, strict=False)
    except ValueError:
        return True
    return not (isinstance(network, IPv4Network) and any(network.subnet_of(private) for private in _PRIVATE))
