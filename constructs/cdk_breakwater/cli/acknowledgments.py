"""Exceptions that a CDK app made by ``Validations.of(construct).acknowledge``, as its cloud assembly keeps them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .plan import metadata_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from ..checks import Finding, Rule

_ACKNOWLEDGED = "aws:cdk:acknowledged-rules"
_LOGICAL_ID = "aws:cdk:logicalId"
_PLUGIN = "Breakwater"
_REPORT = "validation-report.json"


class Acknowledgments:
    """The rules of this library that an app's constructs are excepted from, each with all that is beneath it."""

    def __init__(self) -> None:
        self._rules: dict[Path, dict[str, set[str]]] = {}
        self._paths: dict[Path, dict[str, str]] = {}
        self._reports: dict[Path, set[tuple[str, str]]] = {}

    def read(self, artifact: Mapping[str, Any], folder: Path) -> None:
        """Read the metadata of an artifact in the manifest of a folder; what is damaged excepts nothing."""
        try:
            metadata = metadata_of(artifact, folder)
        except (OSError, ValueError, TypeError):
            return
        for path, entries in metadata.items() if isinstance(metadata, dict) else ():
            for entry in entries if isinstance(entries, list) else ():
                if not isinstance(entry, dict):
                    continue
                data = entry.get("data")
                if entry.get("type") == _ACKNOWLEDGED and isinstance(data, dict):
                    self._rules.setdefault(folder, {}).setdefault(path.strip("/"), set()).update(data)
                elif entry.get("type") == _LOGICAL_ID and isinstance(data, str):
                    self._paths.setdefault(folder, {}).setdefault(data, path.strip("/"))

    def cover(self, rule: Rule, finding: Finding) -> bool:
        """Tell whether a finding is acknowledged at its resource's construct, or at one that this is part of."""
        resource = finding.resource
        folder = resource.template.path.parent
        path = resource.metadata.get("aws:cdk:path", self._paths.get(folder, {}).get(resource.logical_id))
        if not isinstance(path, str):
            return False
        id_, rules = f"{_PLUGIN}::{rule.id}", self._rules.get(folder, {})
        if any(id_ in rules.get(above, ()) for above in _upwards(path)):
            return True
        # No artifact has the metadata of an app or a stage: what was acknowledged there, the report of the synth says.
        return any((id_, path) in self._suppressed(place) for place in (folder, folder.parent))

    def _suppressed(self, folder: Path) -> set[tuple[str, str]]:
        """Give what the synth suppressed, by the rule and the construct's path."""
        if folder not in self._reports:
            try:
                report = json.loads((folder / _REPORT).read_text(encoding="utf-8"))
                self._reports[folder] = {
                    (violation["acknowledgedId"], construct["constructPath"])
                    for plugin in report["pluginReports"]
                    for violation in plugin.get("suppressedViolations", ())
                    for construct in violation["violatingConstructs"]
                }
            except (OSError, ValueError, LookupError, TypeError, AttributeError):
                self._reports[folder] = set()
        return self._reports[folder]


def _upwards(path: str) -> Iterable[str]:
    parts = path.split("/")
    return ("/".join(parts[:end]) for end in range(len(parts), -1, -1))
