"""Who connects to what. Every rule about connections asks here."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from .callers import called_rarely, mentions
from .environment import environment
from .evidence import to_server
from .external_databases import to_external_database
from .reach import reach

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .assembly import Assembly
    from .connection import Connection
    from .resource import Resource
    from .servers import Server

_FUNCTION = "AWS::Lambda::Function"
_OTHER_CLIENTS = (
    "AWS::AppRunner::Service",
    "AWS::Batch::JobDefinition",
    "AWS::EC2::Instance",
    "AWS::EC2::LaunchTemplate",
    "AWS::ECS::TaskDefinition",
    "AWS::Glue::Connection",
    "AWS::Glue::Job",
)


def connections(function: Resource) -> list[Connection]:
    """Give what a function connects to, by itself or through a proxy; nothing for one that only deployments call."""
    assembly = function.template.assembly
    return assembly.choices.cached(("connections", function), lambda: list(_connections(function)))


def direct_connections(function: Resource) -> list[Connection]:
    """Give what a function connects to by itself."""
    return [connection for connection in connections(function) if connection.proxied is None]


def connected_to(server: Server) -> list[Connection]:
    """Give the functions that hold connections of a server's writer themselves."""
    return [connection for connection in _to(server) if not connection.reads]


def reading_from(server: Server) -> list[Connection]:
    """Give the functions that hold connections of a server's readers and of nothing else."""
    return [connection for connection in _to(server) if connection.reads]


def proxied_by(proxy: Resource) -> list[Resource]:
    """Give the functions that connect through a proxy."""
    assembly = proxy.template.assembly
    found: dict[Resource, list[Resource]] = assembly.choices.cached("proxied", lambda: _proxied(assembly))
    return found.get(proxy, [])


def others_of(servers: Iterable[Server]) -> str:
    """Say what else connects to some servers, for the end of a problem."""
    names = sorted({resource.name for server in servers for resource in _other_clients(server)})
    return f" Others connect as well, how often is unknown: {', '.join(names)}." if names else ""


def _other_clients(server: Server) -> list[Resource]:
    """Give what else is told the address of a server: containers, instances and jobs, whose pools no template tells."""
    found: list[Resource] = []
    for member in server.members:
        for resource in mentions(server.resource.template.assembly).get(member, ()):
            if resource.type not in _OTHER_CLIENTS or resource in found:
                continue
            if any(server.writes(reference) for reference in resource.references()):
                found.append(resource)
    return found


def _to(server: Server) -> list[Connection]:
    assembly = server.resource.template.assembly
    found: dict[Server, list[Connection]] = assembly.choices.cached("connected", lambda: _connected(assembly))
    return found.get(server, [])


def _connections(function: Resource) -> Iterator[Connection]:
    if called_rarely(function):
        return
    told = environment(function)
    # What this library's functions know about their proxy, they say.
    own = any(name.startswith("BREAKWATER_") and name.endswith("_PROXY") for name, _ in told)
    variables = told[:0] if own else told
    known = reach(function.template.assembly)
    found = [
        connection
        for server in (known.of(function, variables) if known.servers else ())
        if (connection := to_server(function, server, variables)) is not None
    ]
    yield from found
    if not found and (connection := to_external_database(function, variables)) is not None:
        yield connection


def _connected(assembly: Assembly) -> dict[Server, list[Connection]]:
    found: defaultdict[Server, list[Connection]] = defaultdict(list)
    for function in assembly.resources(_FUNCTION):
        for connection in direct_connections(function):
            if connection.server is not None:
                found[connection.server].append(connection)
    return dict(found)


def _proxied(assembly: Assembly) -> dict[Resource, list[Resource]]:
    found: defaultdict[Resource, list[Resource]] = defaultdict(list)
    for function in assembly.resources(_FUNCTION):
        for proxy in {connection.proxied for connection in connections(function)}:
            if proxy is not None:
                found[proxy].append(function)
    return dict(found)
