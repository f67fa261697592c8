"""A message stays invisible for as long as the function may need for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...limits.aws_lambda import DEFAULT_TIMEOUT_SECONDS
from ...limits.sqs import DEFAULT_VISIBILITY_SECONDS
from ...limits.visibility_factor import VISIBILITY_FACTOR
from ..answers import Unknown
from ..event_source import MAPPING, event_source
from ..rule import Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..resource import Resource


def check(resource: Resource) -> Iterator[Finding]:
    """Compare the visibility timeout with six times the function's timeout and the batching window."""
    reader = event_source(resource)
    mapping, function, source = reader
    if function is None or source is None or source.type != "AWS::SQS::Queue":
        return
    timeout = function.number("Timeout", default=DEFAULT_TIMEOUT_SECONDS)
    window = mapping.number("MaximumBatchingWindowInSeconds", default=0)
    visibility = source.number("VisibilityTimeout", default=DEFAULT_VISIBILITY_SECONDS)
    if isinstance(timeout, Unknown) or isinstance(window, Unknown) or isinstance(visibility, Unknown):
        return
    if visibility >= (needed := VISIBILITY_FACTOR * timeout + window):
        return
    refused = (
        " Lambda refuses a mapping whose queue has less than the function's timeout." if visibility < timeout else ""
    )
    if not reader.enabled and not refused:
        return
    problem = (
        f"{source.name} has a visibility timeout of {visibility:g} s; {function.name}, with a timeout of "
        f"{timeout:g} s and a batching window of {window:g} s, needs {needed:g} s.{refused}"
    )
    yield Finding(
        source,
        "Properties.VisibilityTimeout",
        problem,
        found=f"{visibility:g} s",
        needed=f"{needed:g} s",
        others=(mapping, function),
        based_on=(timeout, window, visibility),
        severity=Severity.DEPLOYMENT if refused else None,
    )


RULE = Rule(
    id="QueueVisibilityTimeout",
    requires="A queue's visibility timeout is at least six times its function's timeout, plus the batching window.",
    reason="Otherwise, a message becomes visible again while it is still being processed or retried. It runs twice, "
    "and uses up its receives.",
    fix="Raise VisibilityTimeout, or lower the function's Timeout.",
    link="https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html",
    severity=Severity.MESSAGES,
    of=(MAPPING,),
    check=check,
)
