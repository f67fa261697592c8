"""The functions that hold connections of a database."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from .database import Database, databases, security_groups

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .assembly import Assembly
    from .template import Reference, Resource


# A function that uses the Data API names the cluster by its ARN; one that connects, by an address.
_ENDPOINTS = {"Endpoint.Address", "ReadEndpoint.Address"}


class _Grant(NamedTuple):
    actions: list[str]
    targets: set[Resource]


class _Network:
    """Who may connect to whom: pairs of security groups."""

    def __init__(self, assembly: Assembly) -> None:
        self._sources: defaultdict[Resource, set[Resource]] = defaultdict(set)
        for ingress in assembly.resources("AWS::EC2::SecurityGroupIngress"):
            group, source = ingress.target("GroupId"), ingress.target("SourceSecurityGroupId")
            if group and source:
                self._sources[group].add(source)
        for group in assembly.resources("AWS::EC2::SecurityGroup"):
            self._sources[group] |= {reference.resource for reference in group.references("SecurityGroupIngress")}

    def lets_in(self, groups: set[Resource], into: set[Resource]) -> bool:
        return any(not groups.isdisjoint(self._sources[group]) for group in into)


def database_functions(assembly: Assembly) -> list[tuple[Database, list[Resource]]]:
    """Give each database with the functions that connect to it, not those behind a proxy nor the Data API's.

    A function is taken to connect if its security group is let in, if its environment refers to the database or the
    database's secret, or if its role may read that secret or log in by IAM. One that only knows the reader endpoint
    does not take the writer's connections.
    """
    network, grants = _Network(assembly), _grants(assembly)
    functions = [(function, function.references()) for function in assembly.resources("AWS::Lambda::Function")]
    return [
        (
            database,
            [
                function
                for function, references in functions
                if _connects(function, references, database, network, grants[function.target("Role")])
            ],
        )
        for database in databases(assembly)
    ]


def proxy_functions(assembly: Assembly) -> Iterator[tuple[Resource, list[Resource]]]:
    """Give the target group of each RDS Proxy with the functions that connect to it."""
    network = _Network(assembly)
    functions = [(function, function.references()) for function in assembly.resources("AWS::Lambda::Function")]
    for targets in assembly.resources("AWS::RDS::DBProxyTargetGroup"):
        if proxy := targets.target("DBProxyName"):
            groups = security_groups(proxy)
            yield (
                targets,
                [
                    function
                    for function, references in functions
                    if any(reference.resource is proxy for reference in references)
                    or network.lets_in(_groups_of(function), groups)
                ],
            )


def _groups_of(function: Resource) -> set[Resource]:
    return set(function.targets("VpcConfig", "SecurityGroupIds"))


def _connects(
    function: Resource, references: set[Reference], database: Database, network: _Network, grants: list[_Grant]
) -> bool:
    groups = _groups_of(function)
    named = {reference.resource for reference in references}
    if _allowed(grants, ("rds-data:",), database.servers) and not _attributes(references, database) & _ENDPOINTS:
        return network.lets_in(groups, database.security_groups)
    if named & database.servers:
        return not _reader_only(references, database)
    if network.lets_in(groups, database.security_groups):
        return True
    if named & database.proxies or network.lets_in(groups, database.proxy_security_groups):
        return False
    return (
        bool(named & database.secrets)
        or _allowed(grants, ("secretsmanager:GetSecretValue", "secretsmanager:*"), database.secrets)
        or _allowed(grants, ("rds-db:",), database.servers)
    )


def _reader_only(references: Iterable[Reference], database: Database) -> bool:
    attributes = _attributes(references, database)
    return "ReadEndpoint.Address" in attributes and "Endpoint.Address" not in attributes


def _attributes(references: Iterable[Reference], database: Database) -> set[str | None]:
    return {reference.attribute for reference in references if reference.resource in database.servers}


def _allowed(grants: list[_Grant], actions: tuple[str, ...], on: set[Resource]) -> bool:
    return any(grant.targets & on and any(action.startswith(actions) for action in grant.actions) for grant in grants)


def _grants(assembly: Assembly) -> defaultdict[Resource | None, list[_Grant]]:
    """Give what the policies of each role allow."""
    found: defaultdict[Resource | None, list[_Grant]] = defaultdict(list)
    for role in assembly.resources("AWS::IAM::Role"):
        for policy in role.properties.get("Policies") or []:
            found[role] += _statements(role, policy.get("PolicyDocument"))
        for policy in role.targets("ManagedPolicyArns"):
            found[role] += _statements(policy, policy.get("PolicyDocument"))
    for policy in assembly.resources("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy"):
        for role in [*policy.targets("Roles"), policy.target("RoleName")]:
            if role is not None:
                found[role] += _statements(policy, policy.get("PolicyDocument"))
    return found


def _statements(policy: Resource, document: object) -> Iterator[_Grant]:
    statements = document.get("Statement", []) if isinstance(document, dict) else []
    for statement in statements if isinstance(statements, list) else [statements]:
        actions = statement.get("Action", [])
        targets = {reference.resource for reference in policy.template.references(statement.get("Resource"))}
        yield _Grant([str(action) for action in (actions if isinstance(actions, list) else [actions])], targets)
