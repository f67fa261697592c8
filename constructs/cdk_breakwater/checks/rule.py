"""One rule of the checks, and what it finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from .answers import parameter_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .resource import Resource


class Severity(IntEnum):
    """What a mistake does, the worst first."""

    DEPLOYMENT = 1
    DATABASE = 2
    MESSAGES = 3
    NOTE = 4

    @property
    def text(self) -> str:
        """As a reader sees it."""
        return {
            Severity.DEPLOYMENT: "does not deploy",
            Severity.DATABASE: "takes the database down",
            Severity.MESSAGES: "loses messages",
            Severity.NOTE: "worth knowing",
        }[self]


@dataclass(frozen=True)
class Finding:
    """A resource that breaks a rule.

    Parameters
    ----------
    resource
        The resource.
    location
        The property, relative to the resource, such as ``Properties.Timeout``.
    problem
        What is wrong, in a sentence with the values found.
    found, needed
        The value found and the one that would be right, short enough for a table.
    evidence
        By what a fact is known that the template doesn't state, such as that a function connects to a database.
    others
        The other resources without which it would be no mistake.
    based_on
        The values that it rests on: those that are a parameter's default are named.
    severity
        What it does, where that is not what the rule's mistakes do in general.
    """

    resource: Resource
    location: str
    problem: str
    found: str = ""
    needed: str = ""
    evidence: str = ""
    others: tuple[Resource, ...] = ()
    based_on: tuple[object, ...] = ()
    severity: Severity | None = None

    @property
    def parameters(self) -> list[str]:
        """The parameters whose defaults it rests on."""
        return sorted({name for value in self.based_on if (name := parameter_of(value)) is not None})

    @property
    def text(self) -> str:
        """The problem, with what it rests on."""
        evidence = f" By {self.evidence}." if self.evidence else ""
        defaults = f" By the default of {', '.join(self.parameters)}." if self.parameters else ""
        return f"{self.problem}{evidence}{defaults}"


@dataclass(frozen=True)
class Rule:
    """What must hold of some resources.

    Parameters
    ----------
    id
        The name by which it is acknowledged, ``Breakwater::<id>``.
    requires
        What must hold, in a sentence.
    reason
        What happens otherwise.
    fix
        What to change.
    link
        Where AWS documents it.
    severity
        What its mistakes do.
    of
        The types of the resources that it looks at.
    check
        Finds what is wrong with one of them. A value that is known at deployment only breaks nothing.
    trial
        Whether it only warns as yet: a new rule fails nobody's build.
    """

    id: str
    requires: str
    reason: str
    fix: str
    link: str
    severity: Severity
    of: tuple[str, ...]
    check: Callable[[Resource], Iterable[Finding]]
    trial: bool = False


@dataclass(frozen=True)
class Failure:
    """A rule that could not look at a resource: a defect of the rule, which says nothing about the resource."""

    rule: Rule
    resource: Resource
    error: Exception

    @property
    def text(self) -> str:
        """What a person reads."""
        kind = f"{type(self.error).__name__}: {self.error}"
        return f"{self.rule.id} could not check {self.resource.name} ({kind}); the other rules did."
