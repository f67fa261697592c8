"""A function has no more environments provisioned than there may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..answers import Absent, Unknown
from ..referring_resources import referring_to
from ..rule import Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..resource import Resource

_NAME = ("ProvisionedConcurrencyConfig", "ProvisionedConcurrentExecutions")


def check(resource: Resource) -> Iterator[Finding]:
    """Compare the provisioned concurrency of a function's aliases and versions with what it reserves."""
    limit = resource.limit("ReservedConcurrentExecutions")
    if isinstance(limit, Absent | Unknown):
        return
    known = {
        each: provisioned
        for type_ in ("AWS::Lambda::Alias", "AWS::Lambda::Version")
        for each in referring_to(resource, type_, "FunctionName", of=resource.type)
        if not isinstance(provisioned := each.limit(*_NAME), Absent | Unknown)
    }
    total = sum(known.values())
    if total > limit:
        yield Finding(
            resource,
            "Properties.ReservedConcurrentExecutions",
            f"{resource.name} reserves a concurrency of {limit:g}, and has {total:g} provisioned.",
            found=f"{total:g} provisioned",
            needed=f"at most {limit:g}",
            others=tuple(known),
            based_on=(limit, *known.values()),
        )


RULE = Rule(
    id="ProvisionedConcurrency",
    requires="A function's provisioned concurrency is at most its reserved concurrency.",
    reason="Lambda refuses the provisioned concurrency, and the deployment is rolled back.",
    fix="Raise ReservedConcurrentExecutions, or lower the provisioned concurrency.",
    link="https://docs.aws.amazon.com/lambda/latest/dg/provisioned-concurrency.html",
    severity=Severity.DEPLOYMENT,
    of=("AWS::Lambda::Function",),
    check=check,
)
