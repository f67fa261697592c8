"""An account can grant what its functions reserve."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...limits.account_quota import reservable
from ..answers import Absent, Amount, Unknown
from ..rule import Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import TypeAlias

    from ..assembly import Assembly
    from ..resource import Resource
    from ..template import Template

    Place: TypeAlias = tuple[Path | Template, str | None]


def check(resource: Resource) -> Iterator[Finding]:
    """Compare the sum of reserved concurrency in each account and Region with its quota."""
    assembly = resource.template.assembly
    place = _place(resource.template)
    known: dict[Resource, Amount] = assembly.choices.cached(("reserved", place), lambda: _reserved(assembly, place))
    total, most = sum(known.values()), reservable(assembly.account_concurrency)
    if total <= most or next((function for function in known if known[function]), None) is not resource:
        return
    where = f" in {place[1]}" if place[1] and "unknown" not in place[1] else ""
    problem = (
        f"{_count(len(known))} a concurrency of {total:g}{where}; a quota of {assembly.account_concurrency} lets "
        f"{most} be reserved."
    )
    yield Finding(
        resource,
        "Properties.ReservedConcurrentExecutions",
        problem,
        found=f"{total:g} reserved",
        needed=f"at most {most}",
        others=tuple(function for function in known if known[function]),
        based_on=tuple(known.values()),
    )


def _reserved(assembly: Assembly, place: Place) -> dict[Resource, Amount]:
    return {
        function: amount
        for function in assembly.resources(*RULE.of)
        if _place(function.template) == place
        and not isinstance(amount := function.limit("ReservedConcurrentExecutions"), Absent | Unknown)
    }


def _place(template: Template) -> Place:
    """Tell where a template goes: templates of one folder that no manifest places may go to different accounts."""
    root = template.root
    return (root.path.parent, root.environment) if root.environment else (root, None)


def _count(functions: int) -> str:
    return "One function reserves" if functions == 1 else f"{functions} functions reserve"


RULE = Rule(
    id="AccountConcurrency",
    requires="The reserved concurrency in an account and Region adds up to at most its quota less 100.",
    reason="Lambda refuses the function that exceeds it, and the deployment is rolled back.",
    fix="Reserve less concurrency. Or raise the quota, and state it in the context key account_concurrency or with "
    "--account-concurrency.",
    link="https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html",
    severity=Severity.DEPLOYMENT,
    of=("AWS::Lambda::Function",),
    check=check,
)
