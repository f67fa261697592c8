"""Exceptions from the checks: in a template's metadata, in a file, and in a baseline of what was there before."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import yaml

from ..checks import RULES, Severity
from ..errors import BreakwaterError

# The CDK and SAM end the logical id of a deployment in a hash of its API, which each change changes.
_HASH = re.compile(r"[0-9a-f]{10,}$")

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ..checks import Finding, Rule
    from .acknowledgments import Acknowledgments

Found = tuple["Rule", "Finding"]
SEVERITIES = {"deployment": Severity.DEPLOYMENT, "database": Severity.DATABASE, "messages": Severity.MESSAGES,
              "note": Severity.NOTE}  # fmt: skip
_SETTINGS = ("suppress", "skip", "severity")
_SUPPRESSION = ("rule", "resource", "reason")
_METADATA = "breakwater"


@dataclass(frozen=True)
class Suppression:
    """One finding that is meant.

    Attributes
    ----------
    rule
        The rule's id, or a pattern such as ``*``.
    resource
        The logical id or the construct's path, or a pattern.
    reason
        Why it is right here.
    """

    rule: str
    resource: str
    reason: str

    def covers(self, rule: Rule, finding: Finding) -> bool:
        """Tell whether a finding is meant."""
        names = (finding.resource.logical_id, finding.resource.name)
        return fnmatchcase(rule.id, self.rule) and any(fnmatchcase(name, self.resource) for name in names)


@dataclass
class Settings:
    """The file ``.breakwater.yaml``: exceptions, rules that are off, and severities.

    Attributes
    ----------
    suppress
        The exceptions.
    skip
        Ids of rules that are not applied.
    severity
        A severity for a rule, instead of its own.
    """

    suppress: list[Suppression] = field(default_factory=list)
    skip: list[str] = field(default_factory=list)
    severity: dict[str, Severity] = field(default_factory=dict)


def read_settings(path: Path) -> Settings:
    """Read the file.

    Raises
    ------
    BreakwaterError
        It is no YAML, names no rule of this kind, or suppresses without a reason.
    """
    try:
        body = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BreakwaterError(str(path), f"it can't be read ({error}).", "Write it as YAML.") from error
    if not isinstance(body, dict):
        raise BreakwaterError(str(path), "it has no settings.", "Write suppress:, skip: or severity:.")
    for name in body:
        if name not in _SETTINGS:
            raise BreakwaterError(str(path), f"there is no setting {name!r}.", f"Settings: {', '.join(_SETTINGS)}.")
    skipped = body.get("skip") or []
    settings = Settings([_exception(str(path), each) for each in _listed(path, body, "suppress")])
    # One rule is as good as a list of one.
    names = [skipped] if isinstance(skipped, str) else _listed(path, body, "skip")
    settings.skip = [known_rule(str(path), name) for name in names]
    severities = body.get("severity") or {}
    if not isinstance(severities, dict):
        raise BreakwaterError(
            str(path), f"severity is not a mapping (given {severities!r}).", "Write severity: {Rule: note}."
        )
    for name, severity in severities.items():
        if severity not in SEVERITIES:
            raise BreakwaterError(
                str(path), f"there is no severity {severity!r}.", f"Take one of {', '.join(SEVERITIES)}."
            )
        settings.severity[known_rule(str(path), name)] = SEVERITIES[severity]
    return settings


def _listed(path: Path, body: dict[str, Any], name: str) -> list[Any]:
    given = body.get(name) or []
    if not isinstance(given, list):
        raise BreakwaterError(str(path), f"{name} is not a list (given {given!r}).", f"Write {name}: [...].")
    return given


def known_rule(where: str, name: object) -> str:
    """Give the id of a rule, also where ``Breakwater::`` stands before it.

    Raises
    ------
    BreakwaterError
        There is no such rule.
    """
    id_ = str(name).removeprefix("Breakwater::")
    if id_ not in {rule.id for rule in RULES}:
        raise BreakwaterError(where, f"there is no rule {name!r}.", f"Rules: {', '.join(rule.id for rule in RULES)}.")
    return id_


def exceptions_in(finding: Finding) -> list[Suppression]:
    """Give what the metadata of a resource, and of its template, suppress."""
    template = finding.resource.template
    found = [_exception(finding.resource.name, each) for each in _entries(finding.resource.metadata)]
    return found + [_exception(str(template.path), each) for each in _entries(template.body.get("Metadata"))]


def kept(found: Iterable[Found], settings: Settings, acknowledgments: Acknowledgments) -> tuple[list[Found], int]:
    """Give the findings that nobody meant, with the severities of the settings, and how many were meant."""
    remaining: list[Found] = []
    meant = 0
    for rule, finding in found:
        suppressed = any(each.covers(rule, finding) for each in [*settings.suppress, *exceptions_in(finding)])
        if suppressed or acknowledgments.cover(rule, finding):
            meant += 1
            continue
        severity = settings.severity.get(rule.id)
        remaining.append((rule, replace(finding, severity=severity) if severity else finding))
    return remaining, meant


def fingerprint(rule: Rule, finding: Finding) -> str:
    """Name a finding so that a change of its numbers leaves the name as it is."""
    name = finding.resource.name
    if finding.resource.type == "AWS::ApiGateway::Deployment":
        name = _HASH.sub("", name)
    return f"{rule.id} {name} {finding.location} {finding.resource.template.path.name}"


def write_baseline(path: Path, found: Iterable[Found]) -> int:
    """Write what is there now, and give how much that is.

    Raises
    ------
    BreakwaterError
        The file can't be written.
    """
    names = sorted({fingerprint(rule, finding) for rule, finding in found})
    try:
        path.write_text(json.dumps({"findings": names}, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise BreakwaterError(
            str(path), f"it can't be written ({error.strerror}).", "Name a file in a folder that is there."
        ) from error
    return len(names)


def read_baseline(path: Path) -> set[str]:
    """Read what was there before.

    Raises
    ------
    BreakwaterError
        It is no baseline.
    """
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        return {str(name) for name in body["findings"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BreakwaterError(
            str(path), f"it is not a baseline ({error}).", "Write one with --write-baseline."
        ) from error


def _entries(metadata: Any) -> list[Any]:
    own = metadata.get(_METADATA) if isinstance(metadata, dict) else None
    entries = own.get("suppress") if isinstance(own, dict) else None
    return entries if isinstance(entries, list) else []


def _exception(where: str, entry: Any) -> Suppression:
    if not isinstance(entry, dict) or not entry.get("rule") or not str(entry.get("reason") or "").strip():
        raise BreakwaterError(
            where, f"a suppression needs a rule and a reason (given {entry}).", "Give a reason why it is right."
        )
    for name in entry:
        if name not in _SUPPRESSION:
            raise BreakwaterError(
                where, f"a suppression has no {name!r} (given {entry}).", f"It takes {', '.join(_SUPPRESSION)}."
            )
    rule = str(entry["rule"]).removeprefix("Breakwater::")
    if not any(fnmatchcase(each.id, rule) for each in RULES):
        known_rule(where, rule)
    return Suppression(rule, str(entry.get("resource", "*")), str(entry["reason"]))
