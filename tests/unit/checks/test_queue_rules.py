from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import CfnParameter, Duration, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from aws_cdk.aws_lambda_event_sources import SqsEventSource

from cdk_breakwater.checks.rules.batch_item_failures import RULE as BATCH_ITEM_FAILURES
from cdk_breakwater.checks.rules.dead_letter_queue_retention import RULE as RETENTION
from cdk_breakwater.checks.rules.mapping_concurrency import RULE as CONCURRENCY
from cdk_breakwater.checks.rules.queue_dead_letter_queue import RULE as DEAD_LETTER_QUEUE
from cdk_breakwater.checks.rules.queue_visibility_timeout import RULE as VISIBILITY

from .stacks import function

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Findings


def polled(
    queue: dict[str, Any] | None = None,
    reader: dict[str, Any] | None = None,
    source: dict[str, Any] | None = None,
    *,
    alias: bool = False,
    queues: int = 1,
) -> Callable[[Stack], None]:
    def app(stack: Stack) -> None:
        target = function(stack, **(reader or {}))
        if alias:
            target = lambda_.Alias(stack, "Alias", alias_name="live", version=target.current_version)
        for number in range(queues):
            target.add_event_source(
                SqsEventSource(sqs.Queue(stack, f"Queue{number}", **(queue or {})), **(source or {}))
            )

    return app


def timeout(seconds: float) -> dict[str, Any]:
    return {"timeout": Duration.seconds(seconds)}


def visibility(seconds: float) -> dict[str, Any]:
    return {"visibility_timeout": Duration.seconds(seconds)}


def window(seconds: float) -> dict[str, Any]:
    return {"max_batching_window": Duration.seconds(seconds)}


@pytest.mark.parametrize(
    ("queue", "reader", "source", "numbers"),
    [
        (visibility(30), timeout(30), {}, (30, 30, 0, 180)),
        ({}, timeout(6), {}, (30, 6, 0, 36)),
        (visibility(180), timeout(30), window(20), (180, 30, 20, 200)),
        (visibility(17), {}, {}, (17, 3, 0, 18)),
    ],
)
def test_visibility_timeout_too_short(
    queue: dict[str, Any],
    reader: dict[str, Any],
    source: dict[str, Any],
    numbers: tuple[int, int, int, int],
    findings: Findings,
) -> None:
    (finding,) = findings(VISIBILITY, polled(queue, reader, source))
    assert finding.resource.name == "Stack0/Queue0"
    assert finding.location == "Properties.VisibilityTimeout"
    visible, seconds, batching, needed = numbers
    assert finding.problem == (
        f"Stack0/Queue0 has a visibility timeout of {visible} s; Stack0/Function, with a timeout of {seconds} s and a "
        f"batching window of {batching} s, needs {needed} s."
    )


def test_visibility_timeout_behind_an_alias(findings: Findings) -> None:
    assert len(findings(VISIBILITY, polled(visibility(30), timeout(30), alias=True))) == 1


@pytest.mark.parametrize(
    "app", [polled(), polled(visibility(180), timeout(30)), polled(visibility(200), timeout(30), window(20))]
)
def test_visibility_timeout_long_enough(app: Callable[[Stack], None], findings: Findings) -> None:
    assert findings(VISIBILITY, app) == []


def test_a_parameter_counts_with_its_default_only(findings: Findings) -> None:
    def app(default: float | None) -> Callable[[Stack], None]:
        def make(stack: Stack) -> None:
            seconds = CfnParameter(stack, "Seconds", type="Number", default=default).value_as_number
            polled(visibility(60), timeout(10))(stack)
            queue = stack.node.find_child("Queue0").node.default_child
            assert isinstance(queue, sqs.CfnQueue)
            queue.visibility_timeout = seconds

        return make

    assert findings(VISIBILITY, app(None)) == []
    (finding,) = findings(VISIBILITY, app(20))
    assert "20 s" in finding.problem


@pytest.mark.parametrize(
    ("app", "most"),
    [
        (polled(reader={"reserved_concurrent_executions": 5}, source={"max_concurrency": 50}), 50),
        (polled(reader={"reserved_concurrent_executions": 5}, source={"max_concurrency": 3}, queues=2), 6),
        (polled(reader={"reserved_concurrent_executions": 1}), 1250),
        (
            polled(
                reader={"reserved_concurrent_executions": 20},
                source={
                    "provisioned_poller_config": lambda_.ProvisionedPollerConfig(minimum_pollers=2, maximum_pollers=3)
                },
            ),
            30,
        ),
    ],
)
def test_more_concurrency_than_reserved(app: Callable[[Stack], None], most: int, findings: Findings) -> None:
    found = findings(CONCURRENCY, app)
    assert {finding.location for finding in found} == {"Properties.ScalingConfig.MaximumConcurrency"}
    assert {finding.resource.type for finding in found} == {"AWS::Lambda::EventSourceMapping"}
    assert all(finding.problem.endswith(f"its queues start up to {most}.") for finding in found)


@pytest.mark.parametrize(
    "app",
    [
        polled(source={"max_concurrency": 50}),
        polled(reader={"reserved_concurrent_executions": 6}, source={"max_concurrency": 3}, queues=2),
        polled(reader={"reserved_concurrent_executions": 5}, source={"max_concurrency": 50, "enabled": False}),
    ],
)
def test_concurrency_within_what_is_reserved(app: Callable[[Stack], None], findings: Findings) -> None:
    assert findings(CONCURRENCY, app) == []


def with_dead_letters(receives: int, *, reader: bool = True, **retention: Duration) -> Callable[[Stack], None]:
    def app(stack: Stack) -> None:
        dead = sqs.Queue(stack, "Dead", retention_period=retention.get("dead"))
        queue = sqs.Queue(
            stack,
            "Queue",
            retention_period=retention.get("source"),
            dead_letter_queue=sqs.DeadLetterQueue(queue=dead, max_receive_count=receives),
        )
        if reader:
            function(stack).add_event_source(SqsEventSource(queue))

    return app


def test_no_dead_letter_queue(findings: Findings) -> None:
    (finding,) = findings(DEAD_LETTER_QUEUE, polled())
    assert finding.problem == "Stack0/Queue0, read by Stack0/Function, has no dead-letter queue."


def test_set_aside_too_early(findings: Findings) -> None:
    (finding,) = findings(DEAD_LETTER_QUEUE, with_dead_letters(1))
    assert finding.problem == "Stack0/Queue has a maxReceiveCount of 1."
    assert len(findings(DEAD_LETTER_QUEUE, with_dead_letters(4))) == 1


def test_tried_five_times(findings: Findings) -> None:
    assert findings(DEAD_LETTER_QUEUE, with_dead_letters(5)) == []
    assert findings(DEAD_LETTER_QUEUE, lambda stack: sqs.Queue(stack, "NotReadByAFunction")) == []


@pytest.mark.parametrize(
    "retention",
    [
        {},
        {"source": Duration.days(4), "dead": Duration.days(1)},
        {"source": Duration.days(14), "dead": Duration.days(14)},
    ],
)
def test_dead_letters_expire_no_later(retention: dict[str, Duration], findings: Findings) -> None:
    (finding,) = findings(RETENTION, with_dead_letters(5, reader=False, **retention))
    assert finding.resource.name == "Stack0/Dead"
    days = retention.get("dead", Duration.days(4)).to_days()
    assert f"keeps messages for {days:g} days, no longer than Stack0/Queue" in finding.problem


def test_dead_letters_outlive_the_source(findings: Findings) -> None:
    assert findings(RETENTION, with_dead_letters(5, dead=Duration.days(14))) == []

    def fifo(stack: Stack) -> None:
        dead = sqs.Queue(stack, "Dead", fifo=True)
        sqs.Queue(stack, "Queue", fifo=True, dead_letter_queue=sqs.DeadLetterQueue(queue=dead, max_receive_count=5))

    assert findings(RETENTION, fifo) == []


def test_a_batch_fails_as_a_whole(findings: Findings) -> None:
    (finding,) = findings(BATCH_ITEM_FAILURES, polled())
    assert finding.problem == "Stack0/Function gets up to 10 records at once and cannot report which of them failed."
    assert findings(BATCH_ITEM_FAILURES, polled(source={"report_batch_item_failures": True})) == []
    assert findings(BATCH_ITEM_FAILURES, polled(source={"batch_size": 1})) == []
