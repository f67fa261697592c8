"""Findings for other programs: JSON, SARIF, JUnit's XML, and GitHub's workflow commands."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from ..checks import Severity
from .check_report import severity_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..checks import Finding, Rule

    Place = Callable[[Finding], tuple[str, int]]
    Found = list[tuple[Rule, Finding]]

# SARIF 2.1.0, section 3.27.10; GitHub's workflow commands.
_LEVELS = {
    Severity.DEPLOYMENT: "error",
    Severity.DATABASE: "error",
    Severity.MESSAGES: "error",
    Severity.NOTE: "note",
}
_COMMANDS = {"error": "error", "warning": "warning", "note": "notice"}


def as_json(found: Found, place: Place, unreadable: list[str]) -> str:
    """Give one object with findings and what could not be read."""
    return json.dumps(
        {"findings": [_object(rule, finding, place) for rule, finding in found], "unreadable": unreadable}, indent=2
    )


def as_sarif(found: Found, place: Place, unreadable: list[str]) -> str:
    """Give a SARIF 2.1.0 log."""
    rules = {rule.id: rule for rule, _ in found}
    driver = {
        "name": "cdk-breakwater",
        "informationUri": "https://pypi.org/project/cdk-breakwater/",
        "rules": [
            {
                "id": rule.id,
                "shortDescription": {"text": rule.requires},
                "fullDescription": {"text": rule.reason},
                "help": {"text": rule.fix},
                "helpUri": rule.link,
            }
            for rule in rules.values()
        ],
    }
    results = [
        {
            "ruleId": rule.id,
            "level": _level(rule, finding),
            "message": {"text": f"{finding.text} {rule.fix}"},
            "locations": [
                {
                    "physicalLocation": {"artifactLocation": {"uri": file}, "region": {"startLine": line}},
                    "logicalLocations": [{"name": finding.resource.name}],
                }
            ],
        }
        for rule, finding in found
        for file, line in (place(finding),)
    ]
    notices = [{"level": "error", "message": {"text": line}} for line in unreadable]
    invocation = {"executionSuccessful": not unreadable, "toolExecutionNotifications": notices}
    run = {"tool": {"driver": driver}, "invocations": [invocation], "results": results}
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return json.dumps({"$schema": schema, "version": "2.1.0", "runs": [run]}, indent=2)


def as_junit(found: Found, place: Place, unreadable: list[str]) -> str:
    """Give a test suite whose cases are the findings; notes, and what is on trial, are no failures."""
    failures = sum(_level(rule, finding) == "error" for rule, finding in found)
    suite = ElementTree.Element(
        "testsuite",
        name="breakwater check",
        tests=str(len(found) + len(unreadable) or 1),
        failures=str(failures),
        errors=str(len(unreadable)),
    )
    for rule, finding in found:
        file, line = place(finding)
        case = ElementTree.SubElement(
            suite, "testcase", classname=rule.id, name=f"{file}:{line} {finding.resource.name}"
        )
        if _level(rule, finding) != "error":
            ElementTree.SubElement(case, "system-out").text = finding.text
        else:
            ElementTree.SubElement(
                case, "failure", message=finding.text
            ).text = f"{rule.reason} {rule.fix}\n{rule.link}"
    for text in unreadable:
        case = ElementTree.SubElement(suite, "testcase", classname="readable", name=text.split(": ")[0])
        ElementTree.SubElement(case, "error", message=text)
    if not found and not unreadable:
        ElementTree.SubElement(suite, "testcase", classname="breakwater", name="no findings")
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True)


def as_github(found: Found, place: Place, unreadable: list[str]) -> str:
    """Give workflow commands, which GitHub shows beside the lines of a pull request."""
    lines = []
    for rule, finding in found:
        file, line = place(finding)
        command = _COMMANDS[_level(rule, finding)]
        title = _escaped(rule.id, property_=True)
        lines.append(
            f"::{command} file={_escaped(file, property_=True)},line={line},title={title}::"
            f"{_escaped(f'{finding.text} {rule.fix}')}"
        )
    return "\n".join([*lines, *(f"::error::{_escaped(line)}" for line in unreadable)])


FORMATS: dict[str, Callable[[Found, Place, list[str]], str]] = {
    "json": as_json,
    "sarif": as_sarif,
    "junit": as_junit,
    "github": as_github,
}


def _object(rule: Rule, finding: Finding, place: Place) -> dict[str, Any]:
    file, line = place(finding)
    return {
        "rule": rule.id,
        "severity": severity_of(rule, finding).text,
        "trial": rule.trial,
        "file": file,
        "line": line,
        "resource": finding.resource.logical_id,
        "name": finding.resource.name,
        "location": finding.location,
        "problem": finding.problem,
        "found": finding.found,
        "needed": finding.needed,
        "evidence": finding.evidence,
        "defaults": finding.parameters,
        "fix": rule.fix,
        "link": rule.link,
    }


def _level(rule: Rule, finding: Finding) -> str:
    """Give an error for what fails the command; a rule on trial warns."""
    level = _LEVELS[severity_of(rule, finding)]
    return "warning" if rule.trial and level == "error" else level


def _escaped(text: str, *, property_: bool = False) -> str:
    """Escape as GitHub's toolkit does."""
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return text.replace(":", "%3A").replace(",", "%2C") if property_ else text
