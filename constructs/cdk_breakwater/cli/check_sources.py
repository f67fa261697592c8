"""What `breakwater check` reads: files, folders, cloud assemblies, each as the templates of one app."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..checks import Assembly
from ..checks.nested import closes_a_circle, nested_file
from .acknowledgments import Acknowledgments
from .app_files import applications, artifacts_of, environments_in, files_in, looks_like_one
from .sam import expand, is_sam
from .template_file import TemplateFile, UnreadableTemplateError, read_template
from .template_numbers import no_numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

# The APIs that SAM makes for events that name none, and the type of those events.
_IMPLICIT = {"ServerlessRestApi": "Api", "ServerlessHttpApi": "HttpApi"}
_OPEN_LOOP = "a Fn::ForEach was not read: its collection is known at deployment only; give it by --parameter"


@dataclass
class Sources:
    """Templates by app, and what could not be read.

    Attributes
    ----------
    assemblies
        One for each cloud assembly and each folder.
    files
        Each template file that was read.
    unreadable
        One line for each file that could not be.
    notes
        One line for each part of a file that was read otherwise than one may think.
    acknowledgments
        The exceptions that the apps of cloud assemblies made.
    """

    account_concurrency: int
    parameters: Mapping[str, str]
    assemblies: list[Assembly] = field(default_factory=list)
    files: dict[Path, TemplateFile] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    acknowledgments: Acknowledgments = field(default_factory=Acknowledgments)

    def read(self, paths: Iterable[Path]) -> None:
        """Read files, folders and cloud assemblies."""
        folders: dict[Path, list[Path]] = {}
        named: dict[Path, list[Path]] = {}
        for path in paths:
            if path.is_dir():
                named[path] = list(files_in(path))
                for file in named[path]:
                    folders.setdefault(file.parent, []).append(file)
            elif self._read(path, named=True) is not None:
                folders.setdefault(path.parent, []).append(path)
        for files in folders.values():
            self._add(list(dict.fromkeys(files)))
        for path, files in named.items():
            # What a synth that failed leaves behind must not look clean.
            if not self.unreadable and not any(file in self.files for file in files):
                self._complain(f"{path}: no template in it")

    @property
    def unknown_parameters(self) -> list[str]:
        """The names of the parameters that were given and that no template has; none where a file could not be read."""
        known = {name for assembly in self.assemblies for each in assembly.templates for name in each.parameters}
        return [] if self.unreadable else sorted(self.parameters.keys() - known)

    def add_deployed(
        self, name: Path, body: dict[str, Any], environment: str, parameters: Mapping[str, str]
    ) -> Assembly:
        """Add the template of a stack that is deployed, whose parameters are known, and give its app."""
        self.files[name] = TemplateFile(name, body)
        assembly = Assembly(self.account_concurrency, self._parse)
        assembly.add(name, body, environment, arguments=parameters)
        self.assemblies.append(assembly)
        return assembly

    def line(self, file: Path, logical_id: str, location: str) -> int:
        """Give the line of a resource's property, or of the resource."""
        lines = self.files[file].lines if file in self.files else {}
        property_ = location.removeprefix("Properties.").split(".")[0]
        known = lines.get((logical_id, property_)) or lines.get((logical_id,))
        if known is None and (event := self._event(file, logical_id)) is not None:
            return lines.get(event, 1)
        if known is None:
            # What SAM makes of a resource has a name that begins with the resource's.
            names = [key[0] for key in lines if len(key) == 1 and logical_id.startswith(key[0])]
            known = lines[max(names, key=len),] if names else 1
        return known

    def _event(self, file: Path, logical_id: str) -> tuple[str, ...] | None:
        """Give the event for which SAM makes an API that no resource stands for."""
        type_ = next((type_ for prefix, type_ in _IMPLICIT.items() if logical_id.startswith(prefix)), None)
        resources = self.files[file].body.get("Resources") if file in self.files else None
        if type_ is None or not isinstance(resources, dict):
            return None
        for name, resource in resources.items():
            properties = resource.get("Properties") if isinstance(resource, dict) else None
            events = properties.get("Events") if isinstance(properties, dict) else None
            for event, body in events.items() if isinstance(events, dict) else ():
                if isinstance(body, dict) and body.get("Type") == type_:
                    given = body.get("Properties")
                    if not isinstance(given, dict) or not {"RestApiId", "ApiId"} & given.keys():
                        return (str(name), "Events", str(event))
        return None

    def _add(self, files: list[Path]) -> None:
        read = {file: found for file in files if (found := self._read(file)) is not None}
        nested = {target for file, found in read.items() for target in self._nested(file, found.body)}
        assembly = Assembly(self.account_concurrency, self._parse)
        for artifact in artifacts_of(files[0].parent):
            self.acknowledgments.read(artifact, files[0].parent)
        environments = environments_in(files[0].parent)
        # Stacks that nest each other have no root: the first of them is one.
        for file, found in sorted(read.items(), key=lambda item: item[0].resolve() in nested):
            if file.resolve() in nested and any(file.resolve() == each.path.resolve() for each in assembly.templates):
                continue
            try:
                body = self._expanded(found)
            except UnreadableTemplateError as error:
                self._complain(f"{file}: {error}")
                continue
            assembly.add(file, body, environments.get(file.name), arguments=self.parameters)
        for stack in assembly.declared("AWS::CloudFormation::Stack"):
            if closes_a_circle(stack, assembly.assets):
                self._note(f"{stack.template.path}: {stack.name} nests a template that it is part of itself")
            elif assembly.nested_in(stack) is None:
                self._note(f"{stack.template.path}: the template of {stack.name} is not at hand, and is not checked")
        for template in assembly.templates:
            if template.open_loops:
                self._complain(f"{template.path}: {_OPEN_LOOP}")
            for each in no_numbers(template):
                line = self.line(template.path, each.resource.logical_id, f"Properties.{each.path[0]}")
                self._complain(f"{template.path}:{line}: {each.text}")
        self.assemblies.append(assembly)

    def _note(self, line: str) -> None:
        if line not in self.notes:
            self.notes.append(line)

    def _nested(self, file: Path, body: dict[str, Any]) -> Iterator[Path]:
        """Give the files of a template's nested stacks and applications, which are no apps of their own."""
        yield from applications(file, body)
        if "AWS::CloudFormation::Stack" not in str(body):
            return
        alone = Assembly(self.account_concurrency)
        alone.add(file, body, arguments=self.parameters, nest=False)
        for stack in alone.declared("AWS::CloudFormation::Stack"):
            if (nested := nested_file(stack, alone.assets)) is not None:
                yield nested.resolve()

    def _read(self, file: Path, *, named: bool = False) -> TemplateFile | None:
        """Read a file; None for one that is no template, which only a file that was named must be."""
        if file in self.files:
            return self.files[file]
        try:
            found = read_template(file)
        except UnreadableTemplateError as error:
            if named or looks_like_one(file):
                self._complain(f"{file}: {error}")
            return None
        if not found.is_template:
            if named:
                self._complain(f"{file}: it is not a template: it has no resources with a type")
            return None
        self._keep(file, found)
        return found

    def _keep(self, file: Path, found: TemplateFile) -> None:
        self.files[file] = found
        for name, line in found.repeated:
            self._note(f"{file}:{line}: {name} is there twice, and this one is read")

    def _complain(self, line: str) -> None:
        if line not in self.unreadable:
            self.unreadable.append(line)

    def _parse(self, file: Path) -> dict[str, Any]:
        found = read_template(file)
        self._keep(file, found)
        return self._expanded(found)

    def _expanded(self, found: TemplateFile) -> dict[str, Any]:
        if not is_sam(found.body):
            return found.body
        if "Fn::ForEach::" in repr(found.body):
            alone = Assembly(self.account_concurrency).add(
                found.path, found.body, arguments=self.parameters, nest=False
            )
            if alone.open_loops:
                self._complain(f"{found.path}: {_OPEN_LOOP}")
        return expand(found.body, self.parameters, found.path.parent)
