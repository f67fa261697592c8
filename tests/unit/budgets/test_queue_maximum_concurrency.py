"""A source that is capped below its function's share keeps connections from others, one above it receives in vain."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Annotations, Match
from aws_cdk.aws_lambda_event_sources import SqsEventSource

from cdk_breakwater import ConnectionBudget, DecoupledInvocation, InvocationSource

STRANDED = "stay unused"


def limited(stack: cdk.Stack, code: dict[str, Any]) -> lambda_.Function:
    function = lambda_.Function(stack, "Orders", timeout=cdk.Duration.seconds(5), **code)
    ConnectionBudget(stack, "Budget", max_connections=134).share("orders").limit(function, overlap=False)
    return function


def infos(stack: cdk.Stack) -> list[str]:
    found = Annotations.from_stack(stack).find_info("*", Match.string_like_regexp(STRANDED))
    return [str(each.entry.data) for each in found]


@pytest.mark.parametrize(("most", "said"), [(14, True), (107, False)])
def test_a_queue_of_the_users_own(stack: cdk.Stack, code: dict[str, Any], most: int, said: bool) -> None:
    limited(stack, code).add_event_source(SqsEventSource(sqs.Queue(stack, "Queue"), max_concurrency=most))
    assert infos(stack) == (
        [
            "the queues before orders let 14 of its share of 107 run. 93 x 1 connections stay unused, unless "
            "something else invokes it. Pass concurrency=14 to it, or raise MaximumConcurrency. "
            "[ack: cdk-breakwater:stranded-concurrency]"
        ]
        if said
        else []
    )


def test_two_queues_count_together(stack: cdk.Stack, code: dict[str, Any]) -> None:
    function = limited(stack, code)
    for number in (1, 2):
        function.add_event_source(SqsEventSource(sqs.Queue(stack, f"Queue{number}"), max_concurrency=50))
    (said,) = infos(stack)
    assert "let 100 of its share of 107 run. 7 x 1" in said


def test_more_than_the_share_is_received_in_vain(stack: cdk.Stack, code: dict[str, Any]) -> None:
    function = limited(stack, code)
    for number in (1, 2):
        function.add_event_source(SqsEventSource(sqs.Queue(stack, f"Queue{number}"), max_concurrency=54))
    Annotations.from_stack(stack).has_warning(
        "/Stack/Budget", Match.string_like_regexp("let 108 run, and its share is 107. Messages are received only to")
    )
    assert infos(stack) == []


def test_a_source_of_ours_has_the_whole_share(stack: cdk.Stack, code: dict[str, Any]) -> None:
    DecoupledInvocation(stack, "Jobs", function=limited(stack, code), source=InvocationSource.sqs())
    assert infos(stack) == []
    Annotations.from_stack(stack).has_no_warning("*", Match.string_like_regexp("received only"))


@pytest.mark.parametrize(
    ("shards", "factor", "said"),
    [(7, 2, "7 shards x parallelization factor 2 allow 14 invocations at once, of the 107"), (12, None, None)],
)
def test_a_stream(stack: cdk.Stack, code: dict[str, Any], shards: int, factor: int | None, said: str | None) -> None:
    source = InvocationSource.kinesis(shard_count=shards, parallelization_factor=factor)
    DecoupledInvocation(stack, "Jobs", function=limited(stack, code), source=source)
    found = infos(stack)
    assert len(found) == bool(said)
    assert said is None or said in found[0]
