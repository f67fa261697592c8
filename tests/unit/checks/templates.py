"""Templates that tests write by hand, without the CDK."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cdk_breakwater.checks import RULES, Assembly, Report, Rule, check

if TYPE_CHECKING:
    from collections.abc import Iterable


def checked(body: dict[str, Any], *, rules: Iterable[Rule] = RULES, account_concurrency: int = 1000) -> Report:
    """Check one template."""
    assembly = Assembly(account_concurrency)
    assembly.add(Path("template.json"), body)
    return check(assembly, rules)


def found(body: dict[str, Any], rule: Rule) -> list[str]:
    """Give the logical ids that one rule finds; a rule that fails fails the test."""
    report = checked(body, rules=[rule])
    assert report.failures == []
    return [finding.resource.logical_id for _, finding in report.findings]
