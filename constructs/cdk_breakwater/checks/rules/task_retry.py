"""A state tries again, or goes on elsewhere, when its function is throttled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..answers import Absent, Unknown
from ..concurrency import reserved
from ..rule import Finding, Rule, Severity
from ..states import states

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..resource import Resource

# Source: AWS Step Functions Developer Guide, "Handling errors"; both wildcards take in what Lambda answers.
_THROTTLED = ("Lambda.TooManyRequestsException", "States.ALL", "States.TaskFailed")


def check(resource: Resource) -> Iterator[Finding]:
    """Find tasks without Retry that call a function with reserved concurrency."""
    without = [
        state
        for state in states(resource)
        if state.function is not None
        and not any(_is_handled(each.body) for each in (state, *state.within))
        and not isinstance(limit := reserved(state.function), Absent | Unknown)
        and limit > 0
    ]
    if without:
        names = ", ".join(state.name for state in without)
        yield Finding(
            resource,
            "Properties.Definition",
            f"{resource.name} fails when a function with reserved concurrency is throttled: no Retry or Catch of "
            f"{names} is for that.",
            found="no Retry or Catch for it",
            needed="Retry of Lambda.TooManyRequestsException",
            others=tuple(state.function for state in without if state.function),
        )


def _is_handled(state: dict[str, Any]) -> bool:
    """Tell whether a state, or one that it is part of, tries again or goes on elsewhere."""
    caught = any(
        _is_throttled(error) for each in _list(state.get("Catch")) if isinstance(each, dict) for error in _errors(each)
    )
    return caught or _tries_again(state.get("Retry"))


def _tries_again(retry: Any) -> bool:
    """Tell whether one of a state's retriers is for what Lambda answers to a call too many."""
    for retrier in _list(retry):
        if isinstance(retrier, dict) and any(_is_throttled(error) for error in _errors(retrier)):
            # The first that names an error is the one that counts, and 0 means never.
            return retrier.get("MaxAttempts") != 0
    return False


def _is_throttled(error: Any) -> bool:
    return error in _THROTTLED or not isinstance(error, str) or "$" in error


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _errors(retrier: dict[str, Any]) -> list[Any]:
    errors = retrier.get("ErrorEquals")
    return errors if isinstance(errors, list) else [errors]


RULE = Rule(
    id="TaskRetry",
    requires="A state that invokes a function with reserved concurrency has a Retry or a Catch.",
    reason="A function at its limit answers 429, and a single 429 ends the whole execution.",
    fix="Add a Retry for Lambda.TooManyRequestsException, with BackoffRate and JitterStrategy.",
    link="https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html",
    severity=Severity.MESSAGES,
    of=("AWS::StepFunctions::StateMachine",),
    check=check,
    trial=True,
)
