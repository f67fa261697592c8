"""The templates of an app, together."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..limits.account_quota import ACCOUNT_CONCURRENCY
from .answers import UNKNOWN, Answer, Unknown
from .choices import Choices
from .names import Names
from .nested import assets_in, nested_file
from .resource import as_text
from .template import Template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .resource import Resource
    from .server_limit import DeployedServer

    Parser = Callable[[Path], dict[str, Any]]


# Nested stacks that nest each other's neighbours would otherwise multiply without end.
_MOST_TEMPLATES = 2000


def parse_json(path: Path) -> dict[str, Any]:
    """Parse a template in JSON.

    Raises
    ------
    OSError, ValueError
        It can't be read.
    """
    body = json.loads(path.read_text(encoding="utf-8-sig"))
    if not isinstance(body, dict):
        raise ValueError(f"{path} is not a CloudFormation template")  # noqa: TRY004 -- the file is wrong, not a type
    return body


class Assembly:
    """Templates that may refer to each other, and what is known of where they go.

    Parameters
    ----------
    account_concurrency
        The quota of concurrent executions of each account and Region.
    parse
        Reads the files of nested stacks.
    """

    def __init__(self, account_concurrency: int = ACCOUNT_CONCURRENCY, parse: Parser = parse_json) -> None:
        self.account_concurrency = account_concurrency
        self.templates: list[Template] = []
        self.choices = Choices()
        self.names = Names(self)
        self.deployed: dict[Resource, DeployedServer] = {}
        self._by_type: dict[str, list[Resource]] = {}
        self._parse = parse
        self._nested: dict[Resource, Template] = {}
        self._importing: set[tuple[Path, str]] = set()
        self._assets: dict[Path, dict[str, Path]] = {}

    def add(
        self,
        path: Path,
        body: dict[str, Any],
        environment: str | None = None,
        *,
        arguments: Mapping[str, str] | None = None,
        nested_by: Resource | None = None,
        nest: bool = True,
    ) -> Template:
        """Add a template and, where that is wanted, those of its nested stacks, which lie beside it."""
        template = Template(self, path, body, environment, arguments or {}, nested_by)
        self.templates.append(template)
        for resource in template.resources.values():
            self._by_type.setdefault(resource.type, []).append(resource)
            if not nest or resource.type != "AWS::CloudFormation::Stack" or len(self.templates) >= _MOST_TEMPLATES:
                continue
            if (file := nested_file(resource, self.assets)) is not None:
                try:
                    nested = self._parse(file)
                except (OSError, ValueError):
                    continue  # what the nested stack has is not known
                self._nested[resource] = self.add(file, nested, environment, nested_by=resource)
        return template

    def resources(self, *types: str) -> list[Resource]:
        """Give all resources of some types that exist in the world that is looked at."""
        return [resource for resource in self.declared(*types) if resource.exists]

    def declared(self, *types: str) -> list[Resource]:
        """Give all resources of some types, in whichever world they exist."""
        return [resource for type_ in types for resource in self._by_type.get(type_, ())]

    def nested_in(self, resource: Resource) -> Template | None:
        """Give the template of a nested stack."""
        return self._nested.get(resource)

    def assets(self, folder: Path) -> dict[str, Path]:
        """Give the files that the asset manifests of a folder upload, by their keys."""
        if folder not in self._assets:
            self._assets[folder] = assets_in(folder)
        return self._assets[folder]

    def exported(self, importer: Template, name: str) -> Answer:
        """Resolve the value that another stack exports."""
        exports: dict[tuple[Path, str], tuple[Template, str]] = self.choices.cached("exports", self._exports)
        key = (importer.path.parent, name)
        if key not in exports or key in self._importing:
            return UNKNOWN
        template, output = exports[key]
        self._importing.add(key)
        try:
            return template.output(output)
        finally:
            self._importing.discard(key)

    def _exports(self) -> dict[tuple[Path, str], tuple[Template, str]]:
        found = {}
        for template in self.templates:
            for name, output in template.outputs:
                exported = as_text(output.get("Export", "Name"))
                if isinstance(exported, str):
                    found[template.path.parent, str(exported)] = (template, name)
                elif isinstance(exported, Unknown) and exported.text:
                    found[template.path.parent, exported.text] = (template, name)
        return found


def read(paths: Iterable[Path], account_concurrency: int = ACCOUNT_CONCURRENCY, parse: Parser = parse_json) -> Assembly:
    """Read templates, with their environments where a cloud assembly's manifest lies beside them.

    Raises
    ------
    OSError, ValueError
        A template can't be read.
    """
    assembly = Assembly(account_concurrency, parse)
    environments = cache(_environments)
    for path in paths:
        assembly.add(path, parse(path), environments(path.parent).get(path.name))
    return assembly


def without_loops(body: dict[str, Any], arguments: Mapping[str, str]) -> dict[str, Any]:
    """Write out the loops of a template, as ``AWS::LanguageExtensions`` does."""
    return Assembly().add(Path("template"), body, arguments=arguments).written_out


def _environments(folder: Path) -> dict[str, str]:
    manifest = folder / "manifest.json"
    if not manifest.is_file():
        return {}
    artifacts = parse_json(manifest).get("artifacts")
    found = {}
    for artifact in artifacts.values() if isinstance(artifacts, dict) else ():
        if isinstance(artifact, dict) and artifact.get("type") == "aws:cloudformation:stack":
            file, environment = artifact.get("properties", {}).get("templateFile"), artifact.get("environment")
            if isinstance(file, str) and isinstance(environment, str):
                found[file] = environment
    return found
