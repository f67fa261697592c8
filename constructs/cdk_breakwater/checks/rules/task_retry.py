"""A state tries again when its function is throttled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..answers import Absent, Unknown
from ..concurrency import reserved
from ..rule import Finding, Rule, Severity
from ..states import states

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..resource import Resource


def check(resource: Resource) -> Iterator[Finding]:
    """Find tasks without Retry that call a function with reserved concurrency."""
    without = [
        state
        for state in states(resource)
        if state.function is not None
        and not state.body.get("Retry")
        and not isinstance(limit := reserved(state.function), Absent | Unknown)
        and limit > 0
    ]
    if without:
        names = ", ".join(state.name for state in without)
        yield Finding(
            resource,
            "Properties.Definition",
            f"{resource.name} fails when a function with reserved concurrency is throttled: {names} have no Retry.",
            found="no Retry",
            needed="Retry of Lambda.TooManyRequestsException",
            others=tuple(state.function for state in without if state.function),
        )


RULE = Rule(
    id="TaskRetry",
    requires="A state that calls a function with reserved concurrency has a Retry.",
    reason="A function at its limit answers 429, and one such answer ends the whole execution.",
    fix="Add Retry for Lambda.TooManyRequestsException, with a BackoffRate and JitterStrategy.",
    link="https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html",
    severity=Severity.MESSAGES,
    of=("AWS::StepFunctions::StateMachine",),
    check=check,
    trial=True,
)
