"""A function that is called by its own URL has the one limit that such calls know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..answers import ABSENT
from ..concurrency import reserved
from ..event_source import function_of
from ..rule import Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..resource import Resource


def check(resource: Resource) -> Iterator[Finding]:
    """Find a URL for everyone whose function has no reserved concurrency."""
    function = function_of(resource.target("TargetFunctionArn", of="AWS::Lambda::Function"))
    # Callers that sign their requests are no crowd.
    if function is None or resource.get("AuthType") != "NONE" or reserved(function) is not ABSENT:
        return
    yield Finding(
        function,
        "Properties.ReservedConcurrentExecutions",
        f"{resource.name} lets anyone call {function.name}, which has no reserved concurrency.",
        found="no limit",
        needed="requests per second / 10",
        others=(resource,),
    )


RULE = Rule(
    id="FunctionUrlConcurrency",
    requires="A function with a URL that anyone may call has reserved concurrency.",
    reason="Reserved concurrency is the only throttle of a function URL. Without it, callers can use up the "
    "account's concurrency, and overload everything behind the function.",
    fix="Set ReservedConcurrentExecutions: the URL then serves up to ten requests per second for each unit. Or put "
    "an API with limits in front of the function.",
    link="https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html",
    severity=Severity.NOTE,
    of=("AWS::Lambda::Url",),
    check=check,
)
