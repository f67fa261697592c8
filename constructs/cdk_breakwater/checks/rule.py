"""One rule of the checks, and what it finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .assembly import Assembly
    from .template import Resource


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
        What is wrong, with the values found.
    """

    resource: Resource
    location: str
    problem: str


@dataclass(frozen=True)
class Rule:
    """What must hold between resources.

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
    check
        Finds what breaks it. A value that is known at deployment only breaks nothing.
    """

    id: str
    requires: str
    reason: str
    fix: str
    link: str
    check: Callable[[Assembly], Iterable[Finding]]
