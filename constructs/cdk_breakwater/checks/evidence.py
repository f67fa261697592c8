"""By what is known that a function connects to a server.

A mention is no connection: functions that start, stop or describe a database, tag it or are forbidden to read its
secret name it as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .answers import ABSENT, Answer, Reference, Unknown, known_text, references_in
from .connection import Connection
from .environment import named_in
from .event_source import sources_of
from .host_names import addresses_in
from .network import Way, groups, network_of
from .permissions import Allowed, allowed, statements
from .reach import reach
from .servers import SECRET_ATTRIBUTES, Server, proxy_of

if TYPE_CHECKING:
    from .permissions import Statement
    from .resource import Resource

_READ_SECRET = ("secretsmanager:getsecretvalue", "secretsmanager:batchgetsecretvalue")
_DATA_API = ("rds-data:executestatement", "rds-data:batchexecutestatement")
_REDSHIFT_DATA_API = ("redshift-data:executestatement", "redshift-data:batchexecutestatement")


def to_server(function: Resource, server: Server, environment: list[tuple[str, Answer]]) -> Connection | None:
    """Give the connection of a function to a server, None where nothing tells of one."""
    reading: str | None = None
    proxied: tuple[Resource, str] | None = None
    for name, answer in environment:
        for reference in addresses_in(function, answer):
            if (
                server.writes(reference)
                or _is_dsql_host(server, reference, answer)
                or _is_kept(server, reference, answer)
            ):
                return Connection(function, server, f"its address in the variable {name}")
            if server.reads(reference):
                reading = f"the address of its readers in the variable {name}"
            if (proxy := proxy_of(reference.resource)) in server.proxies and proxy is not None:
                proxied = (proxy, f"the address of its proxy in the variable {name}")
    if reading is not None:  # beside a proxy, too, which stands before the writer
        return Connection(function, server, reading, reads=True)
    if proxied is not None:
        return Connection(function, server, proxied[1], proxied=proxied[0])
    parameter = reach(function.template.assembly).parameter(function, server)
    if parameter is not None and not (server.is_private and function.get("VpcConfig") is ABSENT):
        return Connection(function, server, f"its address in the parameter {parameter.name}, which it reads")
    if _uses_data_api(function, server):
        return None
    return _by_permission(function, server, environment)


def _by_permission(function: Resource, server: Server, environment: list[tuple[str, Answer]]) -> Connection | None:
    network = network_of(function.template.assembly)
    own = groups(function, "VpcConfig", "SecurityGroupIds")
    in_vpc = function.get("VpcConfig") is not ABSENT
    shared = server.groups & server.proxy_groups
    direct = network.way(own, server.groups, server.port) if in_vpc else Way.NONE
    by_proxy = network.way(own, server.proxy_groups, server.port) if in_vpc else Way.NONE
    if server.is_public and not in_vpc:
        direct = Way.GROUP
    if direct is Way.RANGE and function.template.root is not server.resource.template.root:
        direct = Way.NONE  # the same private range stands for many networks
    # A group that the proxy has as well is the proxy's: whoever is given it has a proxy to go to.
    # So is a surer way to the proxy than to the server, such as a group beside a range that lets in others.
    through = next(iter(server.proxies), None) if by_proxy and (shared or direct < by_proxy) else None
    login = allowed(function, server.kind.connect, server.members | {*server.proxies}) if server.kind.connect else None
    if login is Allowed.ANY and not (direct or by_proxy):
        login = None
    if login:
        if login is Allowed.NAMED and not allowed(function, server.kind.connect, server.members) and server.proxies:
            through = next(iter(server.proxies))
        return Connection(function, server, f"its permission {server.kind.connect[0]} on it", proxied=through)
    way = by_proxy if through else direct
    if not way:
        return None
    secret = _secret(function, server, environment)
    if secret is not None and (way is Way.GROUP or secret[1] is Allowed.NAMED):
        network_text = "a way on the network" if way is Way.GROUP else "a range of addresses that lets it in"
        return Connection(function, server, f"{secret[0]}, and {network_text}", proxied=through)
    return None


def _secret(function: Resource, server: Server, environment: list[tuple[str, Answer]]) -> tuple[str, Allowed] | None:
    """Tell how a function may read the password of a server."""
    for name, answer in environment:
        kept_by_rds = any(
            reference.resource in server.members and reference.attribute in SECRET_ATTRIBUTES
            for reference in references_in(answer)
        )
        if kept_by_rds or not server.secrets.isdisjoint(named_in(function, name, answer)):
            return f"its secret in the variable {name}", Allowed.NAMED
    kept = server.secrets or any(
        member.flag(property_) is True
        for member in server.members
        for property_ in ("ManageMasterUserPassword", "ManageMasterPassword")
    )
    if not kept:
        return None
    found = Allowed.NO
    for statement in statements(function):
        if any(statement.allows(action) for action in _READ_SECRET):
            found = max(found, statement.names(server.secrets), _managed_secret(statement, server))
    return ("its secret, which its role may read", found) if found else None


def _managed_secret(statement: Statement, server: Server) -> Allowed:
    """Tell whether a statement names the secret that RDS keeps itself; its key is an attribute too."""
    for answer in statement.resources:
        for reference in references_in(answer):
            if reference.resource in server.members and reference.attribute in SECRET_ATTRIBUTES:
                return Allowed.NAMED
    return Allowed.NO


def _is_kept(server: Server, reference: Reference, answer: Answer) -> bool:
    """Tell whether it is the host in a secret, to which CloudFormation writes it when the secret is attached."""
    return reference.resource in server.secrets and ":SecretString:host" in known_text(answer)


def _is_dsql_host(server: Server, reference: Reference, answer: Answer) -> bool:
    return (
        server.resource.type == "AWS::DSQL::Cluster"
        and reference.resource is server.resource
        and isinstance(answer, Unknown)
        and ".dsql." in answer.text
    )


def _uses_data_api(function: Resource, server: Server) -> bool:
    if server.kind.noun == "warehouse":
        return any(statement.allows(action) for statement in statements(function) for action in _REDSHIFT_DATA_API)
    if any(source.source in server.members for source in sources_of(function)):
        return True  # the mapping of a change stream reads the secret, not the function
    granted = [statement for statement in statements(function) if any(statement.allows(action) for action in _DATA_API)]
    # A role that may do anything says nothing about how it connects.
    return any("*" not in statement.actions and statement.names(server.members) for statement in granted)
