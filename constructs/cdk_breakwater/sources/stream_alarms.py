"""What a stream before a function shows and when it calls for help: its iterator's age against its record age."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_

from .._cdk.function_qualifiers import unqualified
from ..monitoring.alarms import PERIOD, graph, make_alarm

if TYPE_CHECKING:
    from constructs import Construct

    from .buffer import Buffer

_DELIVERED = "OnFailureDestinationDeliveredEventCount"
_DROPPED = "DroppedEventCount"


def stream_alarms(scope: Construct, invocation: Buffer) -> list[cloudwatch.Alarm]:
    """Make the alarms of a stream."""
    path = invocation.node.path
    age = _record_age(invocation)
    return [
        make_alarm(
            scope,
            "IteratorAge",
            _iterator_age(invocation),
            threshold=age * 1000 / 2,
            description=f"The records that {path} reads are {age / 7200:g} hours old, half of the age at which they "
            "are given up. More records arrive than the share can process (raise it), or a bad record blocks its "
            "shard.",
        ),
        make_alarm(
            scope,
            "FailedRecords",
            _events(invocation, _DELIVERED, "failed"),
            threshold=1,
            description="Records failed for good, and are stored. After you have fixed the cause, run: "
            + invocation.redrive(),
        ),
        make_alarm(
            scope,
            "LostRecords",
            _events(invocation, _DROPPED, "lost"),
            threshold=1,
            description=f"Failed records of {path} could not be stored: Lambda may not write to the destination, or "
            "the destination is gone.",
        ),
    ]


def stream_widgets(invocation: Buffer) -> list[cloudwatch.IWidget]:
    """Return the widgets of a stream."""
    path = invocation.node.path
    return [
        graph(
            f"{path}: iterator age",
            [_iterator_age(invocation)],
            limits=[("records are given up", _record_age(invocation) * 1000)],
            unit="ms",
        ),
        graph(
            f"{path}: records",
            [_events(invocation, "PolledEventCount", "read")],
            right=[_events(invocation, _DELIVERED, "failed"), _events(invocation, _DROPPED, "lost")],
            right_unit="failed",
        ),
    ]


def _iterator_age(invocation: Buffer) -> cloudwatch.Metric:
    # Of all streams that the function reads: Lambda reports it by function.
    return unqualified(invocation.function).metric("IteratorAge", statistic="max", period=PERIOD)


def _record_age(invocation: Buffer) -> int:
    resource: Any = invocation.event_source_mapping.node.default_child
    return int(resource.maximum_record_age_in_seconds)


def _events(invocation: Buffer, name: str, label: str) -> cloudwatch.Metric:
    """Return one of the counts that a mapping reports when asked to, and ask it to."""
    mapping = invocation.event_source_mapping
    resource: Any = mapping.node.default_child
    # Source: AWS Lambda Developer Guide, "Event source mapping metrics".
    resource.metrics_config = lambda_.CfnEventSourceMapping.MetricsConfigProperty(metrics=["EventCount"])
    return cloudwatch.Metric(
        namespace="AWS/Lambda",
        metric_name=name,
        dimensions_map={"EventSourceMappingUUID": mapping.event_source_mapping_id},
        statistic="sum",
        period=PERIOD,
        label=label,
    ).attach_to(mapping)
