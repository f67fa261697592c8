"""What each tool says of each template: the ids of its rules, by the template's name."""

from __future__ import annotations

import json
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import TypeAlias

from cdk_breakwater.checks import RULES, check
from cdk_breakwater.cli.check_sources import Sources

Said: TypeAlias = "dict[str, set[str]]"


def ours(folder: Path) -> Said:
    """Apply the library's rules, each file for itself."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for file in sorted(folder.glob("*.json")):
        sources = Sources(1000, {})
        sources.read([file])
        for assembly in sources.assemblies:
            found[file.stem] |= {rule.id for rule, _ in check(assembly, RULES).findings}
    return found


def cfn_lint(folder: Path, python: Path) -> Said:
    """Run cfn-lint with all its rules, those that only inform included."""
    command = [python.with_name("cfn-lint"), "--format", "json", "--include-checks", "I", "--"]
    output = _output([*command, *sorted(folder.glob("*.json"))])
    found: defaultdict[str, set[str]] = defaultdict(set)
    for each in json.loads(output):
        found[Path(each["Filename"]).stem].add(each["Rule"]["Id"])
    return found


def checkov(folder: Path, python: Path) -> Said:
    """Run checkov's checks of CloudFormation."""
    command = [python.with_name("checkov"), "--framework", "cloudformation", "--quiet", "--compact", "-o", "json"]
    reports = json.loads(_output([*command, "-d", folder]))
    found: defaultdict[str, set[str]] = defaultdict(set)
    for report in reports if isinstance(reports, list) else [reports]:
        for each in report["results"]["failed_checks"]:
            found[Path(each["file_path"]).stem].add(each["check_id"])
    return found


def in_the_cdk(folder: Path, python: Path) -> dict[str, Said]:
    """Synthesize the templates under cdk-nag's five packs, cdk-preflight and the CDK's own validation."""
    said = json.loads(_output([python, Path(__file__).with_name("cdk_app.py"), folder]))
    return {tool: {name: set(rules) for name, rules in found.items()} for tool, found in said.items()}


def _output(command: list[Path | str]) -> str:
    # They exit with another code than 0 where they find something.
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False).stdout
