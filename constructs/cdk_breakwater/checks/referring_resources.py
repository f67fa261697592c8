"""Which resources refer to one by a property: a mapping to its function, a stage to its API."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from .event_source import function_of

if TYPE_CHECKING:
    from .assembly import Assembly
    from .resource import Resource


def referring_to(target: Resource, type_: str, *path: str, of: str | tuple[str, ...] = ()) -> list[Resource]:
    """Give the resources of a type whose property refers to one; what refers to an alias refers to its function.

    Parameters
    ----------
    target
        The resource that is referred to.
    type_
        The type of those that refer to it.
    path
        The property.
    of
        The types that a plain name may stand for.
    """
    assembly = target.template.assembly
    index: dict[Resource, list[Resource]] = assembly.choices.cached(
        ("pointing", type_, path, of), lambda: _index(assembly, type_, path, of)
    )
    return index.get(target, [])


def _index(
    assembly: Assembly, type_: str, path: tuple[str, ...], of: str | tuple[str, ...]
) -> dict[Resource, list[Resource]]:
    found: defaultdict[Resource, list[Resource]] = defaultdict(list)
    for resource in assembly.resources(type_):
        target = resource.target(*path, of=of)
        if target is not None:
            found[function_of(target) or target].append(resource)
    return dict(found)
