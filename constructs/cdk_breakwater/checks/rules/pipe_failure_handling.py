"""A record that a pipe fails on is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...limits.aws_lambda import DEFAULT_TIMEOUT_SECONDS
from ...limits.sqs import DEFAULT_VISIBILITY_SECONDS
from ...limits.visibility_factor import VISIBILITY_FACTOR
from ..answers import ABSENT, Unknown
from ..event_source import function_of
from ..rule import Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..resource import Resource

_STREAMS = ("KinesisStreamParameters", "DynamoDBStreamParameters")


def check(resource: Resource) -> Iterator[Finding]:
    """Find a pipe whose queue or stream has no place for what failed, or whose queue gives it too little time."""
    if resource.get("DesiredState") == "STOPPED":
        return
    queue = resource.target("Source", of="AWS::SQS::Queue")
    if queue is not None and queue.type == "AWS::SQS::Queue":
        yield from _queue(resource, queue)
        return
    for name in _STREAMS:
        given = resource.get("SourceParameters", name)
        if given is not ABSENT and resource.get("SourceParameters", name, "DeadLetterConfig") is ABSENT:
            yield Finding(
                resource,
                f"Properties.SourceParameters.{name}.DeadLetterConfig",
                f"{resource.name} reads a stream and has no dead-letter queue.",
                found="no dead-letter queue",
                needed="DeadLetterConfig",
            )


def _queue(pipe: Resource, queue: Resource) -> Iterator[Finding]:
    if queue.get("RedrivePolicy") is ABSENT:
        yield Finding(
            queue,
            "Properties.RedrivePolicy",
            f"{queue.name}, read by {pipe.name}, has no dead-letter queue.",
            found="no dead-letter queue",
            needed="RedrivePolicy",
            others=(pipe,),
        )
    called = [function_of(pipe.target(name, of="AWS::Lambda::Function")) for name in _waited_for(pipe)]
    timeouts = [function.number("Timeout", default=DEFAULT_TIMEOUT_SECONDS) for function in called if function]
    visibility = queue.number("VisibilityTimeout", default=DEFAULT_VISIBILITY_SECONDS)
    known = [timeout for timeout in timeouts if not isinstance(timeout, Unknown)]
    needed = VISIBILITY_FACTOR * sum(known)
    if not isinstance(visibility, Unknown) and len(known) == len(timeouts) and visibility < needed:
        yield Finding(
            queue,
            "Properties.VisibilityTimeout",
            f"{queue.name} has a visibility timeout of {visibility:g} s; {pipe.name}'s functions need {needed:g} s.",
            found=f"{visibility:g} s",
            needed=f"{needed:g} s",
            others=(pipe, *filter(None, called)),
            based_on=(visibility, *known),
        )


def _waited_for(pipe: Resource) -> tuple[str, ...]:
    kind = pipe.get("TargetParameters", "LambdaFunctionParameters", "InvocationType")
    return ("Enrichment",) if kind == "FIRE_AND_FORGET" else ("Enrichment", "Target")


RULE = Rule(
    id="PipeFailureHandling",
    requires="The queue of a pipe has a dead-letter queue, and a visibility timeout of six times the timeouts of the "
    "pipe's functions. A pipe that reads a stream has a dead-letter queue.",
    reason="A failed record is retried until it expires, or becomes visible again while it is still being processed.",
    fix="Set RedrivePolicy and VisibilityTimeout of the queue, or DeadLetterConfig in the pipe's SourceParameters.",
    link="https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-sqs.html",
    severity=Severity.MESSAGES,
    of=("AWS::Pipes::Pipe",),
    check=check,
    trial=True,
)
