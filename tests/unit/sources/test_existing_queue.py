"""A queue of the user's own: which rules it may break for a stated reason, and which number would be right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import Duration, Validations
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Annotations, Match, Template

from cdk_breakwater import BreakwaterError, ConnectionBudget, DecoupledInvocation, DownstreamChecks, InvocationSource

RETENTION = Duration.days(14)


@pytest.fixture
def app(tmp_path: Path) -> cdk.App:
    app = cdk.App(outdir=str(tmp_path))
    Validations.of(app).add_plugins(DownstreamChecks())
    return app


@pytest.fixture
def function(stack: cdk.Stack, code: dict[str, Any]) -> lambda_.Function:
    function = lambda_.Function(stack, "Worker", timeout=Duration.seconds(10), **code)
    ConnectionBudget(stack, "Budget", max_connections=20).share("worker").limit(function, overlap=False)
    return function


def queue(
    stack: cdk.Stack,
    *,
    visibility: int | None = 60,
    receives: int | None = 5,
    dead: dict[str, Any] | None = None,
    **options: Any,
) -> sqs.Queue:
    redrive = None
    if receives is not None:
        dead_queue = sqs.Queue(stack, "Dead", **({"retention_period": RETENTION} if dead is None else dead))
        redrive = sqs.DeadLetterQueue(queue=dead_queue, max_receive_count=receives)
    timeout = None if visibility is None else Duration.seconds(visibility)
    return sqs.Queue(stack, "Mine", visibility_timeout=timeout, dead_letter_queue=redrive, **options)


RULES = {
    "visibility_timeout": "Breakwater::QueueVisibilityTimeout",
    "dead_letter_queue": "Breakwater::QueueDeadLetterQueue",
    "dead_letter_retention": "Breakwater::DeadLetterQueueRetention",
}
BROKEN: list[tuple[str, dict[str, Any], str]] = [
    ("visibility_timeout", {"visibility": 59}, r"is 59 s, below.*Duration\.seconds\(60\) or more"),
    ("visibility_timeout", {"visibility": None}, r"visibility timeout of Stack/Mine is 30 s"),
    ("dead_letter_queue", {"receives": None}, r"Stack/Mine has no dead-letter queue.*max_receive_count=5\)"),
    ("dead_letter_queue", {"receives": 4}, r"max_receive_count of Stack/Mine is 4.*max_receive_count=5 or more"),
    (
        "dead_letter_retention",
        {"dead": {}},
        r"Stack/Dead keeps messages for 4 days.*\(4 days\).*Duration\.days\(14\) on the",
    ),
    (
        "dead_letter_retention",
        {"retention_period": RETENTION},
        r"keeps messages for 14 days.*\(14 days\).*below 14 days on Stack/Mine",
    ),
]


def test_it_is_used_as_it_is(stack: cdk.Stack, function: lambda_.Function) -> None:
    mine = queue(stack)
    jobs = DecoupledInvocation(stack, "Jobs", function=function, source=InvocationSource.sqs(mine))
    assert jobs.queue is mine
    assert jobs.dead_letter_queue is stack.node.find_child("Dead")
    assert jobs.dead_letter_alarm is None
    Template.from_stack(stack).resource_count_is("AWS::SQS::Queue", 2)


def test_an_imported_one_is_the_users_promise(stack: cdk.Stack, function: lambda_.Function) -> None:
    theirs = sqs.Queue.from_queue_arn(stack, "Theirs", "arn:aws:sqs:eu-central-1:123456789012:theirs")
    DecoupledInvocation(stack, "Jobs", function=function, source=InvocationSource.sqs(theirs))
    Annotations.from_stack(stack).has_warning(
        "/Stack/Jobs", Match.string_like_regexp("visibility timeout must be at least 60 s")
    )


@pytest.mark.parametrize(("rule", "broken", "message"), BROKEN)
def test_refused_with_the_right_number(
    stack: cdk.Stack, function: lambda_.Function, rule: str, broken: dict[str, Any], message: str
) -> None:
    source = InvocationSource.sqs(queue(stack, **broken))
    with pytest.raises(BreakwaterError, match=rf'Stack/Jobs: .*{message}.*, or .*: acknowledge_{rule}="…"'):
        DecoupledInvocation(stack, "Jobs", function=function, source=source)


@pytest.mark.parametrize(("rule", "broken", "message"), BROKEN)
def test_an_exception_with_its_reason_passes_the_checks_too(
    app: cdk.App, stack: cdk.Stack, function: lambda_.Function, rule: str, broken: dict[str, Any], message: str
) -> None:
    exception: dict[str, Any] = {f"acknowledge_{rule}": "a partner relies on it until 2027"}
    source = InvocationSource.sqs(queue(stack, **broken), **exception)
    DecoupledInvocation(stack, "Jobs", function=function, source=source)
    app.synth()


@pytest.mark.parametrize(("rule", "broken", "message"), BROKEN)
def test_without_it_the_checks_would_have_spoken(
    app: cdk.App, stack: cdk.Stack, function: lambda_.Function, rule: str, broken: dict[str, Any], message: str
) -> None:
    mine = queue(stack, **broken)
    mine.grant_consume_messages(function)
    lambda_.EventSourceMapping(
        stack,
        "Mapping",
        target=function,
        event_source_arn=mine.queue_arn,
        max_concurrency=2,
        report_batch_item_failures=True,
    )
    with pytest.raises(RuntimeError, match=RULES[rule]):
        app.synth()


def test_an_exception_without_a_reason(stack: cdk.Stack, function: lambda_.Function) -> None:
    source = InvocationSource.sqs(queue(stack, visibility=1), acknowledge_visibility_timeout=" ")
    with pytest.raises(BreakwaterError, match="acknowledge_visibility_timeout is empty"):
        DecoupledInvocation(stack, "Jobs", function=function, source=source)


def test_a_dead_letter_queue_of_the_other_kind(stack: cdk.Stack, function: lambda_.Function) -> None:
    source = InvocationSource.sqs(queue(stack, fifo=True, dead={}))
    with pytest.raises(BreakwaterError, match=r"Stack/Dead is a standard queue and Stack/Mine.*Give it fifo=True"):
        DecoupledInvocation(stack, "Jobs", function=function, source=source)


def test_a_fifo_queue_needs_no_longer_retention(app: cdk.App, stack: cdk.Stack, function: lambda_.Function) -> None:
    source = InvocationSource.sqs(queue(stack, fifo=True, dead={"fifo": True}))
    DecoupledInvocation(stack, "Jobs", function=function, source=source)
    app.synth()


@pytest.mark.parametrize(
    "options",
    [{"fifo": True}, {"max_receive_count": 9}, {"content_based_deduplication": True}, {"dead_letter_alarm": False}],
)
def test_options_of_an_own_queue(stack: cdk.Stack, function: lambda_.Function, options: dict[str, Any]) -> None:
    source = InvocationSource.sqs(queue(stack), **options)
    with pytest.raises(BreakwaterError, match=f"{next(iter(options))} has no effect here.*Set it on Stack/Mine"):
        DecoupledInvocation(stack, "Jobs", function=function, source=source)
