"""Who connects to what: by what evidence, and how many at once.

Every rule about connections asks here. A mention is no connection: functions that start, stop or describe a database,
tag it or are forbidden to read its secret name it as well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .answers import ABSENT, Answer, Block, Reference, Unknown
from .callers import called_by_schedule, called_rarely, mentions
from .concurrency import most_at_once
from .event_source import event_sources
from .network import Way, groups, network_of
from .permissions import Allowed, allowed, statements
from .servers import SECRET_ATTRIBUTES, Server, servers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .answers import Absent, Amount
    from .permissions import Statement
    from .resource import Resource

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
_READ_SECRET = ("secretsmanager:getsecretvalue", "secretsmanager:batchgetsecretvalue")
_DATA_API = ("rds-data:executestatement", "rds-data:batchexecutestatement")
_REDSHIFT_DATA_API = ("redshift-data:executestatement", "redshift-data:batchexecutestatement")
_READ_PARAMETER = ("ssm:getparameter", "ssm:getparameters", "ssm:getparametersbypath")
# What a variable is called that holds the address of a database.
_ADDRESS = re.compile(
    r"(?:^|(?<!dynamo)_)(?:db|database|rds|mysql|mariadb|postgres(?:ql)?|pg|aurora|redis|valkey|elasticache|"
    r"mongo(?:db)?|docdb|redshift|neptune|sql)_?(?:(?!api_|data_|secret_|backup_)[a-z0-9]+_){0,2}"
    r"(?:host(?:_?name)?|endpoint|address|server|url|uri|dsn|connection_string)$",
    re.IGNORECASE,
)
# What only a variable's name tells to be a database's: a host, and no web address.
_SOME_HOST = re.compile(r"(?:[a-z0-9{}-]+\.)+[a-z{][a-z0-9{}:-]*|\d+\.\d+\.\d+\.\d+(?::\d+)?", re.IGNORECASE)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
# What an address of a database looks like: AWS's host names, and URLs with a driver's scheme.
_HOST = re.compile(
    r"\.rds\.amazonaws\.com|\.docdb\.amazonaws\.com|\.cache\.amazonaws\.com|\.redshift\.amazonaws\.com|"
    r"\.neptune\.amazonaws\.com|\.mongodb\.net|"
    r"\b(?:mysql2?|mariadb|postgres(?:ql)?|rediss?|mongodb(?:\+srv)?|jdbc:[a-z]+)(?:\+[a-z0-9]+)?://",
    re.IGNORECASE,
)
_PROXY = re.compile(r"proxy|pgbouncer|\.pooler\.", re.IGNORECASE)
_LOCAL = re.compile(r"localhost|127\.0\.0\.1|host\.docker\.internal|example\.(?:com|org)", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Connection:
    """A function that may open connections to a database.

    Attributes
    ----------
    function
        The function.
    server
        The database or cache; None for one that is not in the templates.
    evidence
        By what that is known.
    proxied
        Whether an RDS Proxy holds the connections.
    reads
        Whether it knows nothing but the address of readers.
    outside
        What is known of a database that is not in the templates.
    """

    function: Resource
    server: Server | None
    evidence: str
    proxied: Resource | None = None
    reads: bool = False
    outside: str = ""

    @property
    def to(self) -> str:
        """Name what it connects to."""
        return self.server.name if self.server else self.outside

    @property
    def at_once(self) -> Amount | Absent | Unknown:
        """How many of the function there may be: absent where nothing limits it."""
        return most_at_once(self.function)

    @property
    def scheduled(self) -> bool:
        """Whether nothing but a schedule calls the function."""
        return called_by_schedule(self.function)


def connections(function: Resource) -> list[Connection]:
    """Give what a function connects to, by itself or through a proxy; nothing for one that only deployments call."""
    assembly = function.template.assembly
    return assembly.choices.cached(("connections", function), lambda: list(_connections(function)))


def connected_to(server: Server) -> list[Connection]:
    """Give the functions that hold connections of a server's writer themselves."""
    return [
        connection
        for function in server.resource.template.assembly.resources(_FUNCTION)
        for connection in connections(function)
        if connection.server is server and connection.proxied is None and not connection.reads
    ]


def other_clients(server: Server) -> list[Resource]:
    """Give what else is told the address of a server: containers, instances and jobs, whose pools no template tells."""
    found: list[Resource] = []
    for member in server.members:
        for resource in mentions(server.resource.template.assembly).get(member, ()):
            if resource.type not in _OTHER_CLIENTS or resource in found:
                continue
            if any(server.writes(reference) for reference in resource.references()):
                found.append(resource)
    return found


def _connections(function: Resource) -> Iterator[Connection]:
    if called_rarely(function):
        return
    environment = list(_environment(function))
    if any(name.startswith("BREAKWATER_") and name.endswith("_PROXY") for name, _ in environment):
        environment = list[tuple[str, Answer]]()  # what this library's functions know about their proxy, they say
    found = [
        connection
        for server in servers(function.template.assembly)
        if (connection := _to_server(function, server, environment)) is not None
    ]
    yield from found
    if not found and (connection := _to_elsewhere(function, environment)) is not None:
        yield connection


def _environment(function: Resource) -> Iterator[tuple[str, Answer]]:
    variables = function.block("Environment", "Variables")
    if isinstance(variables, Block):
        for name in variables.names():
            yield str(name), variables.get(name)


def _references(answer: Answer) -> frozenset[Reference]:
    if isinstance(answer, Reference):
        return frozenset({answer})
    return answer.references if isinstance(answer, Unknown) else frozenset()


def _to_server(function: Resource, server: Server, environment: list[tuple[str, Answer]]) -> Connection | None:
    reading: str | None = None
    proxied: tuple[Resource, str] | None = None
    for name, answer in environment:
        for reference in _references(answer):
            if server.writes(reference) or _is_dsql_host(server, reference, answer):
                return Connection(function, server, f"its address in the variable {name}")
            if server.reads(reference):
                reading = f"the address of its readers in the variable {name}"
            if (proxy := _proxy_of(reference.resource)) in server.proxies and proxy is not None:
                proxied = (proxy, f"the address of its proxy in the variable {name}")
    if proxied is not None:
        return Connection(function, server, proxied[1], proxied=proxied[0])
    if reading is not None:
        return Connection(function, server, reading, reads=True)
    if (parameter := _address_in_parameter(function, server)) is not None:
        return Connection(function, server, f"its address in the parameter {parameter.name}, which only it reads")
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
    through = next(iter(server.proxies), None) if by_proxy and (shared or not direct) else None
    login = allowed(function, server.kind.connect, server.members | server.proxies) if server.kind.connect else None
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
        for reference in _references(answer):
            if reference.resource in server.secrets or (
                reference.resource in server.members and reference.attribute in SECRET_ATTRIBUTES
            ):
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
        for reference in _references(answer):
            if reference.resource in server.members and reference.attribute in SECRET_ATTRIBUTES:
                return Allowed.NAMED
    return Allowed.NO


def _is_dsql_host(server: Server, reference: Reference, answer: Answer) -> bool:
    return (
        server.resource.type == "AWS::DSQL::Cluster"
        and reference.resource is server.resource
        and isinstance(answer, Unknown)
        and ".dsql." in answer.text
    )


def _proxy_of(resource: Resource) -> Resource | None:
    if resource.type == "AWS::RDS::DBProxyEndpoint":
        return resource.target("DBProxyName", of="AWS::RDS::DBProxy")
    return resource if resource.type == "AWS::RDS::DBProxy" else None


def _uses_data_api(function: Resource, server: Server) -> bool:
    if server.kind.noun == "warehouse":
        return any(statement.allows(action) for statement in statements(function) for action in _REDSHIFT_DATA_API)
    if any(
        source.function is function and source.source in server.members
        for source in event_sources(function.template.assembly)
    ):
        return True  # the mapping of a change stream reads the secret, not the function
    granted = [statement for statement in statements(function) if any(statement.allows(action) for action in _DATA_API)]
    # A role that may do anything says nothing about how it connects.
    return any("*" not in statement.actions and statement.names(server.members) for statement in granted)


def _address_in_parameter(function: Resource, server: Server) -> Resource | None:
    assembly = function.template.assembly
    for parameter in assembly.resources("AWS::SSM::Parameter"):
        if any(server.writes(reference) for reference in parameter.references("Value")):
            readers = [other for other in assembly.resources(_FUNCTION) if _reads_parameter(other, parameter)]
            if readers == [function]:
                return parameter
    return None


def _reads_parameter(function: Resource, parameter: Resource) -> bool:
    named = (reference.resource for _, answer in _environment(function) for reference in _references(answer))
    return parameter in named or allowed(function, _READ_PARAMETER, {parameter}) is Allowed.NAMED


def _to_elsewhere(function: Resource, environment: list[tuple[str, Answer]]) -> Connection | None:
    for name, answer in environment:
        text = answer if isinstance(answer, str) else answer.text if isinstance(answer, Unknown) else ""
        if not text or _PROXY.search(name) or _PROXY.search(text) or _LOCAL.search(text):
            continue
        unknown = isinstance(answer, Unknown) and not answer.references and "://" not in text
        named = _ADDRESS.search(_CAMEL.sub("_", name)) and (unknown or _SOME_HOST.fullmatch(text))
        if _HOST.search(text) or named:
            evidence = f"its address in the variable {name}"
            return Connection(function, None, evidence, outside=f"a database elsewhere ({_place(text)})")
    return None


def _place(text: str) -> str:
    if text.startswith("{import "):
        return f"imported as {text[8:-1]}"
    if "{{resolve:" in text:
        return "known by a parameter or secret"
    # A password may stand before the host.
    return re.sub(r"//[^@/]*@", "//…@", text)[:80]
