"""What a function's role allows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from .answers import ABSENT, Answer, Block, Items, known_text, references_in, texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .assembly import Assembly
    from .resource import Resource


class Allowed(IntEnum):
    """How closely a permission names what it is for."""

    NO = 0
    ANY = 1
    """By a wildcard for all resources of its kind."""
    NAMED = 2


@dataclass(frozen=True)
class Statement:
    """One that allows something.

    Attributes
    ----------
    actions
        Patterns in lower case.
    resources
        What they are allowed on.
    named
        The resources among them.
    wild
        Whether it is for all resources of its kind.
    """

    actions: tuple[str, ...]
    resources: tuple[Answer, ...]
    named: frozenset[Resource]
    wild: bool

    def allows(self, action: str) -> bool:
        """Tell whether an action, in lower case, is among its own."""
        return any(fnmatchcase(action, pattern) for pattern in self.actions)

    def names(self, wanted: set[Resource]) -> Allowed:
        """Tell how it names one of some resources."""
        if not self.named.isdisjoint(wanted):
            return Allowed.NAMED
        return Allowed.ANY if self.wild else Allowed.NO


def statements(function: Resource) -> list[Statement]:
    """Give what the role of a function allows."""
    assembly = function.template.assembly
    role = function.target("Role", of="AWS::IAM::Role")
    if role is None:
        return []
    return assembly.choices.cached(("statements", role), lambda: list(_of_role(assembly, role)))


def allowed(function: Resource, actions: tuple[str, ...], on: set[Resource]) -> Allowed:
    """Tell how closely the role of a function allows one of some actions on one of some resources."""
    return max(
        (
            statement.names(on)
            for statement in statements(function)
            if any(statement.allows(action) for action in actions)
        ),
        default=Allowed.NO,
    )


def _of_role(assembly: Assembly, role: Resource) -> Iterator[Statement]:
    inline = role.items("Policies")
    for policy in inline if isinstance(inline, Items) else ():
        if isinstance(policy, Block):
            yield from _statements(role, policy.get("PolicyDocument"))
    attached = set(role.targets("ManagedPolicyArns", of="AWS::IAM::ManagedPolicy"))
    by_role = assembly.choices.cached("policies of roles", lambda: _attached(assembly))
    for policy in {*attached, *by_role.get(role, ())}:
        yield from _statements(policy, policy.get("PolicyDocument"))


def _attached(assembly: Assembly) -> dict[Resource, list[Resource]]:
    found: dict[Resource, list[Resource]] = {}
    for policy in assembly.resources("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy"):
        named = policy.target("RoleName", of="AWS::IAM::Role")
        for role in [*policy.targets("Roles", of="AWS::IAM::Role"), *([named] if named else [])]:
            found.setdefault(role, []).append(policy)
    return found


def _statements(policy: Resource, document: Answer) -> Iterator[Statement]:
    if not isinstance(document, Block):
        return
    written = document.get("Statement")
    for statement in written if isinstance(written, Items) else [written]:
        if not isinstance(statement, Block) or statement.get("Effect") != "Allow":
            continue
        actions = tuple(action.lower() for action in texts(statement.get("Action")) if isinstance(action, str))
        resource = statement.get("Resource")
        resources = tuple(resource) if isinstance(resource, Items) else () if resource is ABSENT else (resource,)
        named: set[Resource] = set()
        wild = False
        for answer in resources:
            mentioned = {reference.resource for reference in references_in(answer)}
            names = policy.template.assembly.names
            by_name = names.resource(policy.template, answer)
            named |= mentioned | ({by_name} if by_name else {*names.matching(policy.template, answer)})
            text = known_text(answer)
            wild |= not mentioned and (text == "*" or text.endswith((":*", "*/*", "rds!*")))
        yield Statement(actions, resources, frozenset(named), wild)
