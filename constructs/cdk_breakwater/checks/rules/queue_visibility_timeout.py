"""A message stays invisible for as long as the function may need for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..event_source import event_sources
from ..rule import Finding, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..assembly import Assembly

# Source: AWS Lambda Developer Guide, "Creating and configuring an Amazon SQS event source mapping".
_FACTOR = 6
# Defaults of CloudFormation's Timeout of a function and VisibilityTimeout of a queue.
_FUNCTION_SECONDS = 3
_QUEUE_SECONDS = 30


def check(assembly: Assembly) -> Iterator[Finding]:
    """Compare the visibility timeout with six times the function's timeout and the batching window."""
    for mapping, function, source in event_sources(assembly):
        if function is None or source is None or source.type != "AWS::SQS::Queue":
            continue
        timeout = function.number("Timeout", default=_FUNCTION_SECONDS)
        window = mapping.number("MaximumBatchingWindowInSeconds", default=0)
        visibility = source.number("VisibilityTimeout", default=_QUEUE_SECONDS)
        if timeout is None or window is None or visibility is None:
            continue
        if visibility < (needed := _FACTOR * timeout + window):
            problem = (
                f"{source.name} has a visibility timeout of {visibility:g} s; {function.name}, with a timeout of "
                f"{timeout:g} s and a batching window of {window:g} s, needs {needed:g} s."
            )
            yield Finding(source, "Properties.VisibilityTimeout", problem)


RULE = Rule(
    id="QueueVisibilityTimeout",
    requires="A queue's visibility timeout is at least 6 times its function's timeout plus the batching window.",
    reason="Otherwise a message comes back while it is still being worked on or retried: it runs twice, and its "
    "receives run out.",
    fix="Raise VisibilityTimeout, or lower the function's Timeout.",
    link="https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html",
    check=check,
)
