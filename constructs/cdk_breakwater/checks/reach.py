"""Which servers a function may have to do with, found by what it names and what admits it, without asking each."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from .answers import ABSENT, references_in
from .environment import environment
from .network import Group, groups, network_of
from .permissions import statements
from .servers import proxy_of, servers

if TYPE_CHECKING:
    from .answers import Answer
    from .assembly import Assembly
    from .resource import Resource
    from .servers import Server

_FUNCTION = "AWS::Lambda::Function"
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
        named = {reference.resource for _, answer in variables for reference in references_in(answer)}
        named |= {proxy for resource in named if (proxy := proxy_of(resource)) is not None}
        named |= {resource for statement in granted for resource in statement.named}
        found = {server for resource in named for server in self._by_resource.get(resource, ())}
        found |= self._in_parameters.get(function, {}).keys()
        if any(statement.wild for statement in granted):
            found |= self._open_to(function)
        return sorted(found, key=self._places.__getitem__)

    def parameter(self, function: Resource, server: Server) -> Resource | None:
        """Give the parameter with a server's address that only this function reads."""
        return self._in_parameters.get(function, {}).get(server)

    def _open_to(self, function: Resource) -> set[Server]:
        if function.get("VpcConfig") is ABSENT:
            return {server for server in self.servers if server.is_public}
        own = groups(function, "VpcConfig", "SecurityGroupIds")
        return {server for source in (*own, None) for server in self._admitting.get(source, ())}

    def _parameters(self, assembly: Assembly) -> dict[Resource, dict[Server, Resource]]:
        addresses: dict[Resource, list[Server]] = {}
        for parameter in assembly.resources("AWS::SSM::Parameter"):
            for reference in parameter.references("Value"):
                for server in self._by_resource.get(reference.resource, ()):
                    if server.writes(reference):
                        addresses.setdefault(parameter, []).append(server)
        readers: defaultdict[Resource, list[Resource]] = defaultdict(list)
        for function in assembly.resources(_FUNCTION) if addresses else ():
            for parameter in _read_by(function) & addresses.keys():
                readers[parameter].append(function)
        found: defaultdict[Resource, dict[Server, Resource]] = defaultdict(dict)
        for parameter, told in addresses.items():
            if len(readers[parameter]) == 1:
                for server in told:
                    found[readers[parameter][0]].setdefault(server, parameter)
        return dict(found)


def reach(assembly: Assembly) -> Reach:
    """Give the index of an assembly."""
    return assembly.choices.cached("reach", lambda: Reach(assembly))


def _read_by(function: Resource) -> set[Resource]:
    found = {reference.resource for _, answer in environment(function) for reference in references_in(answer)}
    for statement in statements(function):
        if any(statement.allows(action) for action in _READ_PARAMETER):
            found |= statement.named
    return found
