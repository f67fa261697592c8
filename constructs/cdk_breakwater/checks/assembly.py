"""The templates of an app, together."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from .template import UNKNOWN, Resource, Template

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

DEFAULT_ACCOUNT_CONCURRENCY = 1000
"""Source: AWS Lambda Developer Guide, "Lambda quotas"."""
_UNKNOWN_ENVIRONMENT = "aws://unknown-account/unknown-region"


class Assembly:
    """Templates that may refer to each other, and what is known of where they go.

    Parameters
    ----------
    account_concurrency
        The quota of concurrent executions of each account and Region.
    """

    def __init__(self, account_concurrency: int = DEFAULT_ACCOUNT_CONCURRENCY) -> None:
        self.account_concurrency = account_concurrency
        self.templates: list[Template] = []
        self._nested: dict[Resource, Template] = {}
        self._exports: dict[tuple[Path, str], tuple[Template, Any]] = {}

    def add(
        self,
        path: Path,
        body: dict[str, Any],
        environment: str = _UNKNOWN_ENVIRONMENT,
        nested_by: Resource | None = None,
    ) -> Template:
        """Add a template, and those of its nested stacks, which lie beside it."""
        template = Template(self, path, body, environment, nested_by)
        self.templates.append(template)
        for output in body.get("Outputs", {}).values():
            name = output.get("Export", {}).get("Name")
            if isinstance(name, str):
                self._exports[path.parent, name] = (template, output.get("Value"))
        for resource in template.resources.values():
            file = resource.body.get("Metadata", {}).get("aws:asset:path")
            if resource.type == "AWS::CloudFormation::Stack" and file and (path.parent / file).is_file():
                self._nested[resource] = self.add(path.parent / file, _parse(path.parent / file), environment, resource)
        return template

    def resources(self, *types: str) -> Iterator[Resource]:
        """Give all resources of some types."""
        for template in self.templates:
            for resource in template.resources.values():
                if resource.type in types:
                    yield resource

    def nested_in(self, resource: Resource) -> Template | None:
        """Give the template of a nested stack."""
        return self._nested.get(resource)

    def exported(self, importer: Template, name: Any) -> Any:
        """Resolve the value that another stack exports."""
        if not isinstance(name, str) or (importer.path.parent, name) not in self._exports:
            return UNKNOWN
        template, value = self._exports[importer.path.parent, name]
        return template.resolve(value)


def read(paths: Iterable[Path], account_concurrency: int = DEFAULT_ACCOUNT_CONCURRENCY) -> Assembly:
    """Read templates (JSON), with their environments where a cloud assembly's manifest lies beside them.

    Raises
    ------
    OSError, ValueError
        A template can't be read.
    """
    assembly = Assembly(account_concurrency)
    environments = cache(_environments)
    for path in paths:
        environment = environments(path.parent).get(path.name, _UNKNOWN_ENVIRONMENT)
        assembly.add(path, _parse(path), environment)
    return assembly


def _parse(path: Path) -> dict[str, Any]:
    body = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(body, dict):
        raise ValueError(f"{path} is no CloudFormation template")  # noqa: TRY004 -- the file is wrong, not a type
    return body


def _environments(folder: Path) -> dict[str, str]:
    manifest = folder / "manifest.json"
    if not manifest.is_file():
        return {}
    artifacts = _parse(manifest).get("artifacts", {}).values()
    return {
        artifact["properties"]["templateFile"]: artifact["environment"]
        for artifact in artifacts
        if artifact.get("type") == "aws:cloudformation:stack"
    }
