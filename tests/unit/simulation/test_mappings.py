"""Good work before a mapping, as the constructs make it: done, and never given up without having been begun."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Template

from cdk_breakwater import DecoupledInvocation, InvocationSource
from cdk_breakwater.simulation.invocation import Outcome
from cdk_breakwater.simulation.queue_mapping import QueueHistory, QueueMapping, drain
from cdk_breakwater.simulation.stream_mapping import StreamMapping, read
from cdk_breakwater.sources.queue_alarms import least_done, window_seconds

from .virtual_function import VirtualFunction

MESSAGES = 5_000
RECORDS = 2_000
TIMEOUT = 30

Durations = Callable[[int], float]


def fixed(seconds: float) -> Durations:
    return lambda _: seconds


def exponential(mean: float) -> Durations:
    chance = Random(7)  # noqa: S311 -- durations
    seconds = [chance.expovariate(1 / mean) for _ in range(MESSAGES)]
    return lambda number: seconds[number]


DURATIONS = {
    "5": (5, fixed(5)),
    "9": (9, fixed(9)),
    "16": (16, fixed(16)),
    "exponential": (5, exponential(5)),
    "short": (0.9, exponential(0.9)),
}


@pytest.fixture
def function(stack: cdk.Stack, code: dict[str, Any]) -> lambda_.Function:
    timeout = cdk.Duration.seconds(TIMEOUT)
    return lambda_.Function(stack, "Worker", timeout=timeout, reserved_concurrent_executions=5, **code)


def mapping_properties(stack: cdk.Stack) -> dict[str, Any]:
    (mapping,) = Template.from_stack(stack).find_resources("AWS::Lambda::EventSourceMapping").values()
    return mapping["Properties"]


def queue_mapping(stack: cdk.Stack) -> QueueMapping:
    """Read the limits that were deployed."""
    mapping = mapping_properties(stack)
    (queue,) = (
        queue["Properties"]
        for queue in Template.from_stack(stack).find_resources("AWS::SQS::Queue").values()
        if "RedrivePolicy" in queue["Properties"]
    )
    return QueueMapping(
        batch_size=mapping["BatchSize"],
        maximum_concurrency=mapping["ScalingConfig"]["MaximumConcurrency"],
        max_receive_count=queue["RedrivePolicy"]["maxReceiveCount"],
        visibility_timeout=queue["VisibilityTimeout"],
    )


def lost(history: QueueHistory, durations: Durations) -> set[int]:
    """Return what was given up although its work takes less than the timeout."""
    return {message for message in history.dead_lettered if durations(message) < TIMEOUT}


@pytest.mark.parametrize("told", [False, True], ids=["unknown", "expected_duration"])
@pytest.mark.parametrize("name", DURATIONS)
def test_no_message_is_dead_lettered_untried(
    monkeypatch: pytest.MonkeyPatch, stack: cdk.Stack, function: lambda_.Function, name: str, told: bool
) -> None:
    mean, durations = DURATIONS[name]
    options: dict[str, Any] = {"expected_duration": cdk.Duration.millis(round(1000 * mean))} if told else {}
    DecoupledInvocation(stack, "Jobs", function=function, source=InvocationSource.sqs(**options))
    worker = VirtualFunction(monkeypatch, durations, TIMEOUT)
    history = drain(queue_mapping(stack), MESSAGES, worker, seed=1)
    assert (history.untried, lost(history, durations)) == (0, set())
    assert len(history.done) + len(history.dead_lettered) == MESSAGES
    if max(map(durations, range(MESSAGES))) < TIMEOUT:  # an invocation that is ended does its other messages again
        assert len(worker.done) == len(history.done)


def test_the_jobs_of_a_front_door_with_a_short_timeout(
    monkeypatch: pytest.MonkeyPatch, stack: cdk.Stack, code: dict[str, Any]
) -> None:
    """40 POSTs of 8 s each and a timeout of 10 s: in batches of ten, 19 were given up and none of them begun."""
    timeout = cdk.Duration.seconds(10)
    function = lambda_.Function(stack, "Worker", timeout=timeout, reserved_concurrent_executions=2, **code)
    DecoupledInvocation(stack, "Jobs", function=function)
    history = drain(queue_mapping(stack), 40, VirtualFunction(monkeypatch, fixed(8), 10), seed=1)
    assert (len(history.done), history.dead_lettered) == (40, {})


@pytest.mark.parametrize(("name", "at_least"), [("5", 100), ("9", 700), ("16", 2_500), ("exponential", 100)])
def test_the_model_shows_what_batches_of_ten_lost(  # where nothing tells how often a message came
    monkeypatch: pytest.MonkeyPatch, name: str, at_least: int
) -> None:
    _, durations = DURATIONS[name]
    mapping = QueueMapping(batch_size=10, maximum_concurrency=5, max_receive_count=5, visibility_timeout=180)
    history = drain(mapping, MESSAGES, VirtualFunction(monkeypatch, durations, TIMEOUT), seed=1)
    assert history.untried >= at_least


@pytest.mark.parametrize("batch_size", [1, 2, 10])
@pytest.mark.parametrize(
    ("share", "seconds", "timeout"),
    [(2, 3.2, 30), (40, 3.2, 30), (40, 2, 3), (1_000, 29, 30), (2, 140, 150), (40, 140, 150), (1_000, 500, 900)],
)
def test_a_healthy_function_does_not_stall(
    monkeypatch: pytest.MonkeyPatch, share: int, seconds: float, timeout: int, batch_size: int
) -> None:
    window = window_seconds(timeout)
    messages = int(1.5 * window * share / seconds) * batch_size  # so that enough are visible all the time
    mapping = QueueMapping(batch_size, share, max_receive_count=1_000, visibility_timeout=6 * timeout)
    worker = VirtualFunction(monkeypatch, fixed(seconds), timeout)
    history = drain(mapping, messages, worker, seed=1, until=window)
    assert history.done_between(0, window) >= least_done(share, timeout, window)


@pytest.mark.parametrize("restarts", [False, True], ids=["retries of a batch", "retries since the last progress"])
@pytest.mark.parametrize("told", [False, True], ids=["unknown", "expected_duration"])
@pytest.mark.parametrize("seconds", [0.1, 3, 16, 28])
def test_no_good_record_of_a_stream_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
    stack: cdk.Stack,
    function: lambda_.Function,
    seconds: float,
    told: bool,
    restarts: bool,
) -> None:
    options: dict[str, Any] = {"expected_duration": cdk.Duration.millis(round(1000 * seconds))} if told else {}
    source = InvocationSource.kinesis(shard_count=1, **options)
    DecoupledInvocation(stack, "Clicks", function=function, source=source)
    deployed = mapping_properties(stack)
    mapping = StreamMapping(deployed["BatchSize"], deployed["MaximumRetryAttempts"], restarts)
    worker = VirtualFunction(monkeypatch, fixed(seconds), TIMEOUT, stream=True)
    history = read(mapping, RECORDS, worker)
    assert history.given_up == []
    assert worker.done == list(range(RECORDS))  # in order, and each once


@pytest.mark.parametrize("restarts", [False, True], ids=["retries of a batch", "retries since the last progress"])
def test_beside_bad_records_no_good_one_of_a_stream_is_given_up(
    monkeypatch: pytest.MonkeyPatch, stack: cdk.Stack, function: lambda_.Function, restarts: bool
) -> None:
    DecoupledInvocation(stack, "Clicks", function=function, source=InvocationSource.kinesis(shard_count=1))
    deployed = mapping_properties(stack)
    mapping = StreamMapping(deployed["BatchSize"], deployed["MaximumRetryAttempts"], restarts)
    chance = Random(3)  # noqa: S311 -- which are bad
    bad = {number for number in range(RECORDS) if chance.random() < 0.05}
    worker = VirtualFunction(monkeypatch, fixed(3), TIMEOUT, stream=True, fails=bad.__contains__)
    history = read(mapping, RECORDS, worker)
    assert set(history.given_up) == bad
    assert worker.done == [number for number in range(RECORDS) if number not in bad]


@pytest.mark.parametrize(("seconds", "given_up"), [(3, 20), (16, 1_780)])
def test_the_model_shows_what_batches_of_a_hundred_lost(seconds: float, given_up: int) -> None:
    """Of a handler that says where it stopped, and does not have Lambda split the batch."""

    def invoke(records: Sequence[int]) -> Outcome:
        begun = records[: int(29.5 / seconds)]
        return Outcome(len(begun) * seconds, failed=records[len(begun) : len(begun) + 1], begun=begun)

    history = read(StreamMapping(100, 10, progress_restarts_retries=False), RECORDS, invoke)
    assert len(history.given_up) == given_up
