"""A CloudFormation template, its resources, and what their properties refer to."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .assembly import Assembly

_SUB_VARIABLE = re.compile(r"\$\{([^!}][^}]*)\}")


class _Unknown:
    """A value that is known at deployment only."""


UNKNOWN = _Unknown()


class Reference(NamedTuple):
    """A resource, or an attribute of it, that a value refers to."""

    resource: Resource
    attribute: str | None


@dataclass(eq=False)
class Template:
    """One template of an assembly.

    Parameters
    ----------
    assembly
        The templates that it may refer to.
    path
        Its file.
    body
        Its text, parsed.
    environment
        The account and Region of the stack, as in ``aws://123456789012/eu-west-1``.
    arguments
        For the template of a nested stack: the resource in the parent that makes it.
    """

    assembly: Assembly
    path: Path
    body: dict[str, Any]
    environment: str
    nested_by: Resource | None = None
    resources: dict[str, Resource] = field(init=False)

    def __post_init__(self) -> None:
        self.resources = {id_: Resource(self, id_, body) for id_, body in self.body.get("Resources", {}).items()}

    def resolve(self, value: Any) -> Any:
        """Follow a reference across nested and other stacks.

        Returns
        -------
        Any
            The literal, None for ``AWS::NoValue``, a `Reference`, or `UNKNOWN`.
        """
        if not isinstance(value, dict) or len(value) != 1:
            return value
        ((function, argument),) = value.items()
        if function == "Ref":
            return self._ref(argument)
        if function == "Fn::GetAtt":
            name, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
            return self._attribute(name, attribute)
        if function == "Fn::ImportValue":
            return self.assembly.exported(self, argument)
        if function == "Fn::Sub" and isinstance(argument, str):
            whole = _SUB_VARIABLE.fullmatch(argument)
            return self._variable(whole[1]) if whole else UNKNOWN
        return UNKNOWN if function.startswith("Fn::") else value

    def references(self, value: Any) -> Iterator[Reference]:
        """Find every reference in a value, however deep."""
        if isinstance(value, dict):
            resolved = self.resolve(value)
            if isinstance(resolved, Reference):
                yield resolved
            text = value.get("Fn::Sub")
            for name in _SUB_VARIABLE.findall(str(text)) if text else ():
                if isinstance(found := self._variable(name), Reference):
                    yield found
            value = list(value.values())
        if isinstance(value, list):
            for part in value:
                yield from self.references(part)

    def _ref(self, name: str) -> Any:
        if name in self.resources:
            return Reference(self.resources[name], None)
        if name == "AWS::NoValue":
            return None
        if self.nested_by and name in (arguments := self.nested_by.properties.get("Parameters", {})):
            return self.nested_by.template.resolve(arguments[name])
        return self.body.get("Parameters", {}).get(name, {}).get("Default", UNKNOWN)

    def _attribute(self, name: str, attribute: str) -> Any:
        resource = self.resources.get(name)
        if resource is None:
            return UNKNOWN
        nested = self.assembly.nested_in(resource)
        if nested and attribute.startswith("Outputs."):
            output = nested.body.get("Outputs", {}).get(attribute.removeprefix("Outputs."), {})
            return nested.resolve(output.get("Value", UNKNOWN))
        return Reference(resource, attribute)

    def _variable(self, name: str) -> Any:
        return self._attribute(*name.split(".", 1)) if "." in name else self._ref(name)


@dataclass(eq=False)
class Resource:
    """One resource of a template."""

    template: Template
    logical_id: str
    body: dict[str, Any]

    @property
    def type(self) -> str:
        """Such as ``AWS::SQS::Queue``."""
        return self.body.get("Type", "")

    @property
    def properties(self) -> dict[str, Any]:
        """The properties as they are written."""
        return self.body.get("Properties") or {}

    @property
    def name(self) -> str:
        """The construct's path where the CDK made the template, else the logical id."""
        path = self.body.get("Metadata", {}).get("aws:cdk:path", self.logical_id)
        return path.removesuffix("/Resource")

    def get(self, *path: str) -> Any:
        """Give the value of a property, a level deeper for each name: None where it isn't set, or `UNKNOWN`."""
        value: Any = self.properties
        for name in path:
            value = self.template.resolve(value.get(name)) if isinstance(value, dict) else None
        return value

    def number(self, *path: str, default: float | None = None) -> float | None:
        """Give a number: the default where it isn't set, None where it is known at deployment only."""
        value = self.get(*path)
        if value is None:
            return default
        try:
            return float(value)
        except (TypeError, ValueError):
            return None

    def target(self, *path: str) -> Resource | None:
        """Give the resource that a property refers to."""
        value = self.get(*path)
        return value.resource if isinstance(value, Reference) else None

    def targets(self, *path: str) -> list[Resource]:
        """Give the resources that a list refers to."""
        values = self.get(*path)
        found = [self.template.resolve(value) for value in values] if isinstance(values, list) else []
        return [value.resource for value in found if isinstance(value, Reference)]

    def references(self, *path: str) -> set[Reference]:
        """Give everything that a property refers to, however deep; without a path, everything that any of them does."""
        value: Any = self.properties
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return set(self.template.references(value))
