"""Which servers a function may have to do with, found by what it names and what admits it, without asking each."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from .answers import ABSENT, known_text, references_in
from .environment import environment, named_in
from .host_names import addresses_in
from .network import Group, groups, network_of
from .permissions import statements
from .servers import proxy_of, servers

if TYPE_CHECKING:
    from .answers import Answer
    from .assembly import Assembly
    from .resource import Resource
    from .servers import Server

_FUNCTION = "AWS::Lambda::Function"
# A name in Parameter Store that nothing else looks like.
_NAME = re.compile(r"/(?:[\w.\-/]|\{[^{}]*\})+")
_READ_PARAMETER = ("ssm:getparameter", "ssm:getparameters", "ssm:getparametersbypath")


class Reach:
    """An index of the servers of an assembly."""

    def __init__(self, assembly: Assembly) -> None:
        self.servers = servers(assembly)
        self._places = {server: number for number, server in enumerate(self.servers)}
        self._by_resource: defaultdict[Resource, list[Server]] = defaultdict(list)
        self._admitting: defaultdict[Group | None, list[Server]] = defaultdict(list)
        network = network_of(assembly)
        for server in self.servers:
            for resource in server.members | server.secrets | {*server.proxies}:
                self._by_resource[resource].append(server)
            for target in server.groups | server.proxy_groups:
                for source in network.admitted(target):
                    self._admitting[source].append(server)
        self._in_parameters = self._parameters(assembly)

    def of(self, function: Resource, variables: list[tuple[str, Answer]]) -> list[Server]:
        """Give the servers that a function may have to do with."""
        granted = statements(function)
        named = {resource for name, answer in variables for resource in named_in(function, name, answer)}
        named |= {proxy for resource in named if (proxy := proxy_of(resource)) is not None}
        named |= {resource for statement in granted for resource in statement.named}
        found = {server for resource in named for server in self._by_resource.get(resource, ())}
        found |= self._in_parameters.get(function, {}).keys()
        if any(statement.wild for statement in granted):
            found |= self._open_to(function)
        return sorted(found, key=self._places.__getitem__)

    def parameter(self, function: Resource, server: Server) -> Resource | None:
        """Give the parameter with a server's address that a function is told and may read, or that only it reads."""
        return self._in_parameters.get(function, {}).get(server)

    def _open_to(self, function: Resource) -> set[Server]:
        if function.get("VpcConfig") is ABSENT:
            return {server for server in self.servers if server.is_public}
        own = groups(function, "VpcConfig", "SecurityGroupIds")
        return {server for source in (*own, None) for server in self._admitting.get(source, ())}

    def _parameters(self, assembly: Assembly) -> dict[Resource, dict[Server, Resource]]:
        addresses: dict[Resource, list[Server]] = {}
        for parameter in assembly.resources("AWS::SSM::Parameter"):
            for reference in parameter.references("Value") | addresses_in(parameter, parameter.get("Value")):
                for server in self._by_resource.get(reference.resource, ()):
                    if server.writes(reference):
                        addresses.setdefault(parameter, []).append(server)
        readers: defaultdict[Resource, list[Resource]] = defaultdict(list)
        found: defaultdict[Resource, dict[Server, Resource]] = defaultdict(dict)
        for function in assembly.resources(_FUNCTION) if addresses else ():
            told, allowed = _told(function), _may_read(function)
            for parameter in addresses.keys() & (told | allowed):
                readers[parameter].append(function)
            for parameter in addresses.keys() & told & allowed:
                for server in addresses[parameter]:
                    found[function].setdefault(server, parameter)
        for parameter, servers_told in addresses.items():
            if len(readers[parameter]) == 1:
                for server in servers_told:
                    found[readers[parameter][0]].setdefault(server, parameter)
        return dict(found)


def reach(assembly: Assembly) -> Reach:
    """Give the index of an assembly."""
    return assembly.choices.cached("reach", lambda: Reach(assembly))


def _told(function: Resource) -> set[Resource]:
    """Give what a function's variables name, parameters also by their names as they are written."""
    template = function.template
    found: set[Resource] = set()
    for _, answer in environment(function):
        found |= {reference.resource for reference in references_in(answer)}
        text = known_text(answer)
        if _NAME.fullmatch(text) and (parameter := template.assembly.names.parameter(template, text)) is not None:
            found.add(parameter)
    return found


def _may_read(function: Resource) -> set[Resource]:
    granted = [each for each in statements(function) if any(each.allows(action) for action in _READ_PARAMETER)]
    return {resource for statement in granted for resource in statement.named}
