"""An account can grant what its functions reserve."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from ..rule import Finding, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ..assembly import Assembly
    from ..template import Resource

# Source: AWS Lambda Developer Guide, "Configuring reserved concurrency".
_UNRESERVED_MINIMUM = 100


def check(assembly: Assembly) -> Iterator[Finding]:
    """Compare the sum of reserved concurrency in each account and Region with its quota."""
    reserving: defaultdict[tuple[Path, str], dict[Resource, float]] = defaultdict(dict)
    for function in assembly.resources("AWS::Lambda::Function"):
        if reserved := function.number("ReservedConcurrentExecutions"):
            # Stages without an environment of their own may go to different accounts.
            place = (function.template.path.parent, function.template.environment)
            reserving[place][function] = reserved
    quota = assembly.account_concurrency
    for (_, environment), functions in reserving.items():
        if sum(functions.values()) > quota - _UNRESERVED_MINIMUM:
            problem = (
                f"{len(functions)} functions reserve a concurrency of {sum(functions.values()):g} in {environment}, "
                f"where a quota of {quota} lets {max(0, quota - _UNRESERVED_MINIMUM)} be reserved."
            )
            yield Finding(max(functions, key=functions.__getitem__), "Properties.ReservedConcurrentExecutions", problem)


RULE = Rule(
    id="AccountConcurrency",
    requires="The reserved concurrency of an account and Region is at most its quota less 100.",
    reason="Lambda refuses the function that asks for more, and the deployment is rolled back halfway.",
    fix="Raise the quota and state it in the context key account_concurrency, or reserve less.",
    link="https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html",
    check=check,
)
