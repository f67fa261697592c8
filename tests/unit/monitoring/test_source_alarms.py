"""What a queue's full share does against what is done, a stream's against the age at which records are given up."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Template

from cdk_breakwater import BreakwaterError, ConnectionBudget, DecoupledInvocation, InvocationSource

from .templates import alarms, bodies, limits, metrics_of_alarm, widgets

DAY = 86_400


@pytest.fixture
def function(stack: cdk.Stack, code: dict[str, Any]) -> lambda_.Function:
    """Timeout 40 s, share of 16."""
    function = lambda_.Function(stack, "Worker", timeout=cdk.Duration.seconds(40), **code)
    ConnectionBudget(stack, "Budget", max_connections=20).share("worker").limit(function, overlap=False)
    return function


def expression(alarm: dict[str, Any]) -> str:
    return alarm["Metrics"][0]["Expression"]


def test_a_queues_thresholds(stack: cdk.Stack, function: lambda_.Function) -> None:
    jobs = DecoupledInvocation(stack, "Jobs", function=function)
    made = jobs.alarms()
    cloudwatch.Dashboard(stack, "Dashboard").add_widgets(*jobs.widgets())
    found = alarms(stack)
    assert set(found) == {"Jobs/DeadLetterAlarm", "Jobs/Alarms/Stalled", "Jobs/Alarms/Age", "Jobs/Alarms/Errors"}
    assert jobs.dead_letter_alarm in made
    # 16 invocations of a message each; in 5 minutes each ends at least 7 times, even when it lasts for 40 s.
    stalled = found["Jobs/Alarms/Stalled"]
    assert expression(stalled) == "IF(waiting >= 16, FILL(done, 0), 56)"
    assert (stalled["Threshold"], stalled["ComparisonOperator"]) == (16 * 7 / 2, "LessThanThreshold")
    watched = {query["Id"]: query["MetricStat"] for query in stalled["Metrics"][1:]}
    assert {name: (stat["Stat"], stat["Period"]) for name, stat in watched.items()} == {
        "waiting": ("Minimum", 300),
        "done": ("Sum", 300),
    }
    assert watched["done"]["Metric"]["MetricName"] == "NumberOfMessagesDeleted"
    # As long as a batch lasts now (ms), or without any its timeout.
    age = found["Jobs/Alarms/Age"]
    assert expression(age) == "age + waiting * FILL(batch, 40000) / 16000"
    assert metrics_of_alarm(age) == {
        ("AWS/SQS", "ApproximateAgeOfOldestMessage", ("QueueName",)),
        ("AWS/SQS", "ApproximateNumberOfMessagesVisible", ("QueueName",)),
        ("AWS/Lambda", "Duration", ("FunctionName",)),
    }
    assert age["Threshold"] == 4 * DAY / 2
    shown = widgets(bodies(stack)[0])
    assert limits(shown["Stack/Jobs: age"]) == {"half of the retention": 2 * DAY}
    assert [row[-1]["label"] for row in shown["Stack/Jobs: messages"]["metrics"]] == [
        "waiting",
        "in flight",
        "dead letters",
    ]


def test_failures_that_stay_on_their_way_to_the_dead_letter_queue(stack: cdk.Stack, function: lambda_.Function) -> None:
    jobs = DecoupledInvocation(stack, "Jobs", function=function)
    jobs.add_front_door("Door", path="orders")
    jobs.alarms()
    cloudwatch.Dashboard(stack, "Dashboard").add_widgets(*jobs.widgets())
    stuck = alarms(stack)["Jobs/Alarms/Failures"]
    assert (stuck["Threshold"], stuck["EvaluationPeriods"]) == (1, 5)
    noting = alarms(stack)["Jobs/Alarms/FailuresErrors"]
    assert metrics_of_alarm(noting) == {("AWS/Lambda", "Errors", ("FunctionName",))}
    assert metrics_of_alarm(stuck) == {("AWS/SQS", "ApproximateNumberOfMessagesVisible", ("QueueName",))}
    (query,) = stuck["Metrics"]
    queue = query["MetricStat"]["Metric"]["Dimensions"][0]["Value"]["Fn::GetAtt"][0]
    assert queue.startswith("JobsFailuresQueue")
    shown = widgets(bodies(stack)[0])["Stack/Jobs: messages"]
    assert "failures on the way" in [row[-1]["label"] for row in shown["metrics"]]


def test_alarms_come_after_the_front_door(stack: cdk.Stack, function: lambda_.Function) -> None:
    jobs = DecoupledInvocation(stack, "Jobs", function=function)
    jobs.alarms()
    with pytest.raises(
        BreakwaterError, match=r"Stack/Jobs: alarms\(\) was called before add_front_door.* Call it after"
    ):
        jobs.add_front_door("Door", path="orders")


def test_several_mappings_divide_what_is_done(stack: cdk.Stack, function: lambda_.Function) -> None:
    for name in ("Jobs", "More"):
        source = InvocationSource.sqs(batch_size=100, max_batching_window=cdk.Duration.seconds(30))
        DecoupledInvocation(stack, name, function=function, source=source).alarms()
    found = alarms(stack)
    for name in ("Jobs", "More"):
        assert found[f"{name}/Alarms/Stalled"]["Threshold"] == 8 * 7 / 2
        assert expression(found[f"{name}/Alarms/Stalled"]).startswith("IF(waiting >= 800, ")
        assert expression(found[f"{name}/Alarms/Age"]).endswith("/ 800000")


def test_an_existing_queues_own_numbers(stack: cdk.Stack, function: lambda_.Function) -> None:
    dead = sqs.Queue(stack, "Dead", retention_period=cdk.Duration.days(14))
    queue = sqs.Queue(
        stack,
        "Queue",
        visibility_timeout=cdk.Duration.minutes(10),
        retention_period=cdk.Duration.days(10),
        dead_letter_queue=sqs.DeadLetterQueue(queue=dead, max_receive_count=5),
    )
    jobs = DecoupledInvocation(stack, "Jobs", function=function, source=InvocationSource.sqs(queue))
    jobs.alarms()
    found = alarms(stack)
    assert found["Jobs/Alarms/Age"]["Threshold"] == 5 * DAY
    assert found["Jobs/DeadLetterAlarm"]["Threshold"] == 1
    assert jobs.dead_letter_alarm is not None


def test_an_imported_queue_tells_no_retention(stack: cdk.Stack, function: lambda_.Function) -> None:
    queue = sqs.Queue.from_queue_arn(stack, "Queue", "arn:aws:sqs:eu-central-1:123456789012:orders")
    DecoupledInvocation(stack, "Jobs", function=function, source=InvocationSource.sqs(queue)).alarms()
    assert set(alarms(stack)) == {"Jobs/Alarms/Stalled", "Jobs/Alarms/Errors"}


def test_a_fifo_queue_may_have_one_busy_group(stack: cdk.Stack, function: lambda_.Function) -> None:
    DecoupledInvocation(stack, "Jobs", function=function, source=InvocationSource.sqs(fifo=True)).alarms()
    # One invocation after the other, each of 40 s.
    assert alarms(stack)["Jobs/Alarms/Stalled"]["Threshold"] == 7 // 2


def test_no_dead_letter_alarm_where_none_is_wanted(stack: cdk.Stack, function: lambda_.Function) -> None:
    source = InvocationSource.sqs(dead_letter_alarm=False)
    DecoupledInvocation(stack, "Jobs", function=function, source=source).alarms()
    assert set(alarms(stack)) == {"Jobs/Alarms/Stalled", "Jobs/Alarms/Age", "Jobs/Alarms/Errors"}


def test_a_streams_thresholds(stack: cdk.Stack, function: lambda_.Function) -> None:
    source = InvocationSource.kinesis(shard_count=4, max_record_age=cdk.Duration.hours(10))
    clicks = DecoupledInvocation(stack, "Clicks", function=function, source=source)
    clicks.alarms()
    cloudwatch.Dashboard(stack, "Dashboard").add_widgets(*clicks.widgets())
    found = alarms(stack)
    age = found["Clicks/Alarms/IteratorAge"]
    assert metrics_of_alarm(age) == {("AWS/Lambda", "IteratorAge", ("FunctionName",))}
    assert age["Threshold"] == 5 * 3600 * 1000
    failed = found["Clicks/Alarms/FailedRecords"]
    assert metrics_of_alarm(failed) == {
        ("AWS/Lambda", "OnFailureDestinationDeliveredEventCount", ("EventSourceMappingUUID",))
    }
    assert failed["AlarmDescription"].endswith(clicks.redrive())
    assert metrics_of_alarm(found["Clicks/Alarms/LostRecords"]) == {
        ("AWS/Lambda", "DroppedEventCount", ("EventSourceMappingUUID",))
    }
    # Lambda counts events only for a mapping that asks for it.
    Template.from_stack(stack).has_resource_properties(
        "AWS::Lambda::EventSourceMapping", {"MetricsConfig": {"Metrics": ["EventCount"]}}
    )
    shown = widgets(bodies(stack)[0])
    assert limits(shown["Stack/Clicks: iterator age"]) == {"records are given up": 10 * 3600 * 1000}


def test_without_alarms_a_mapping_stays_as_it_was(stack: cdk.Stack, function: lambda_.Function) -> None:
    DecoupledInvocation(stack, "Clicks", function=function, source=InvocationSource.kinesis(shard_count=4))
    (mapping,) = Template.from_stack(stack).find_resources("AWS::Lambda::EventSourceMapping").values()
    assert "MetricsConfig" not in mapping["Properties"]


def test_across_stacks(app: cdk.App, stack: cdk.Stack, function: lambda_.Function) -> None:
    environment = cdk.Environment(account=stack.account, region=stack.region)
    other, page = cdk.Stack(app, "Other", env=environment), cdk.Stack(app, "Page", env=environment)
    jobs = DecoupledInvocation(other, "Jobs", function=function)
    clicks = DecoupledInvocation(other, "Clicks", function=function, source=InvocationSource.kinesis(shard_count=2))
    jobs.alarms()
    clicks.alarms()
    cloudwatch.Dashboard(page, "Dashboard").add_widgets(*jobs.widgets(), *clicks.widgets())
    # The function's stack refers to the sources; what watches the function can't stand beside them.
    assert set(alarms(other)) == {"Jobs/DeadLetterAlarm"}
    assert {path.split("/")[0] for path in alarms(stack)} == {"Worker"}
    assert len(widgets(bodies(page)[0])) == 4
