"""Apply rules to templates, in every world that their conditions allow."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .choices import worlds
from .rule import Failure, Finding, Rule

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .assembly import Assembly
    from .choices import World
    from .resource import Resource

# Choices that only show in another world are looked for once more each time.
_ROUNDS = 3


@dataclass
class Report:
    """What rules found, the worst first, and where they failed."""

    findings: list[tuple[Rule, Finding]] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


def check(assembly: Assembly, rules: Iterable[Rule]) -> Report:
    """Apply rules. One that fails at a resource goes on with the next."""
    report = Report()
    for rule in rules:
        for resource in assembly.declared(*rule.of):
            _apply(rule, resource, report)
    report.findings.sort(key=lambda found: found[1].severity or found[0].severity)
    return report


def _apply(rule: Rule, resource: Resource, report: Report) -> None:
    try:
        report.findings += [(rule, finding) for finding in _in_every_world(rule, resource)]
    except Exception as error:
        report.failures.append(Failure(rule, resource, error))


def _in_every_world(rule: Rule, resource: Resource) -> list[Finding]:
    """Give what is wrong in every world that has the resources of the mistake."""
    choices = resource.template.assembly.choices
    with choices.world({}) as asked:
        found = list(rule.check(resource)) if resource.exists else []
    if not asked:
        return found
    for _ in range(_ROUNDS):
        known = len(asked)
        seen: list[dict[str, Finding]] = []
        kept: dict[str, Finding] = {finding.location: finding for finding in found}
        possible = list(worlds(dict(asked)))
        for world in possible:
            with choices.world(world) as more:
                there = {finding.location: finding for finding in rule.check(resource)} if resource.exists else {}
            asked |= more
            seen.append(there)
            for location, finding in there.items():
                kept.setdefault(location, finding)
        if len(asked) == known:
            break
    return [finding for finding in kept.values() if _everywhere(resource, finding, possible, seen)]


def _everywhere(resource: Resource, finding: Finding, possible: list[World], seen: list[dict[str, Finding]]) -> bool:
    choices = resource.template.assembly.choices
    for world, there in zip(possible, seen, strict=True):
        if finding.location not in there:
            with choices.world(world):
                if all(involved.exists for involved in (resource, finding.resource, *finding.others)):
                    return False
    return True
