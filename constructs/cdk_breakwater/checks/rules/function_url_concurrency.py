"""A function that is called by its own URL has the one limit that such calls know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..rule import Finding, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..assembly import Assembly


def check(assembly: Assembly) -> Iterator[Finding]:
    """Find URLs of functions without reserved concurrency."""
    for url in assembly.resources("AWS::Lambda::Url"):
        function = url.target("TargetFunctionArn")
        if function and function.get("ReservedConcurrentExecutions") is None:
            problem = f"{url.name} calls {function.name}, which has no reserved concurrency."
            yield Finding(function, "Properties.ReservedConcurrentExecutions", problem)


RULE = Rule(
    id="FunctionUrlConcurrency",
    requires="A function with a URL has reserved concurrency.",
    reason="It is the only throttle of a function URL: without it, callers may take the account's concurrency, and "
    "everything behind the function with it.",
    fix="Set ReservedConcurrentExecutions, with which a URL takes up to ten requests per second for each, or put an "
    "API with limits before the function.",
    link="https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html",
    check=check,
)
