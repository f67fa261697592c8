"""How a front door learns that a job failed for good, whatever the function could still say."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

from aws_cdk import Annotations, Duration, Stack, Token
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs

from .._cdk.late_validation import validate_at_synth
from .._cdk.lazy import lazy_number
from .._cdk.nag import acknowledge
from .._cdk.queue_retention import retention_seconds
from .._cdk.temporary_bucket import acknowledge_objects
from ..errors import BreakwaterError
from ..limits.sqs import MAXIMUM_RECEIVES, MAXIMUM_RETENTION_SECONDS, MINIMUM_CONCURRENCY, MINIMUM_RECEIVES
from ..limits.visibility_factor import VISIBILITY_FACTOR
from ..monitoring.alarms import alarms_of
from ..sources.binding import QueueBinding
from .functions import TIMEOUT, make_function

if TYPE_CHECKING:
    from constructs import Construct

    from ..sources.buffer import Buffer
    from .job_results import JobResults

_ID = "Failures"
_VARIABLE = "BREAKWATER_FRONT_DOOR_FAILURES"
_DAY = 86_400
_KNOWN: set[Buffer] = set()


def note_failures(invocation: Buffer, results: JobResults) -> None:
    """Note in the results which jobs of an invocation were given up, once for all its front doors.

    Raises
    ------
    BreakwaterError
        When nothing may pass a queue on its way to the dead-letter queue, or that queue would have no alarm.
    """
    if invocation in _KNOWN:
        return
    binding = invocation.binding
    if isinstance(binding, QueueBinding):
        invocation.failures_queue = _on_the_way(invocation, results)
    elif binding.failure_bucket is not None:
        _in_the_bucket(invocation, results, binding.failure_bucket)
    else:
        Annotations.of(invocation).add_warning_v2(
            "cdk-breakwater:failures-unseen",
            "on_failure stores no payload that names a job, so a front door can distinguish a failed job from a "
            "waiting one only if the function itself reports the failure. Leave on_failure out.",
        )
    _KNOWN.add(invocation)


def _on_the_way(invocation: Buffer, results: JobResults) -> sqs.IQueue | None:
    queue, dead_letter_queue = invocation.queue, invocation.dead_letter_queue
    resource: Any = queue.node.default_child
    if dead_letter_queue is None or resource is None:
        Annotations.of(invocation).add_warning_v2(
            "cdk-breakwater:failures-unseen",
            f"{queue.node.path} is not of this app or has no dead-letter queue, so a front door cannot learn that a "
            "job failed for good: its result stays 202 until the queue is empty, and 404 then.",
        )
        return None
    _check(invocation, dead_letter_queue)
    function = _function(invocation, results, {"dead_letters": dead_letter_queue.queue_url})
    # SQS counts the receives of a message across all queues (Amazon SQS API Reference, ReceiveMessage,
    # ApproximateReceiveCount), so it arrives with these spent.
    receives = queue.dead_letter_queue.max_receive_count  # type: ignore[attr-defined]
    spent = MAXIMUM_RECEIVES if Token.is_unresolved(receives) else int(receives)
    key = queue.encryption_master_key
    # In the queue's stack, which refers to it, and which the function's stack refers to already.
    beside = Stack.of(queue) is Stack.of(invocation)
    failed = sqs.Queue(
        cast("Construct", function if beside else queue),
        "Queue" if beside else f"{_ID}Queue",
        fifo=True if queue.fifo else None,  # CloudFormation refuses an explicit false
        # A message stays encrypted by its first queue's key when SQS moves it, so its reader needs that key, too.
        # Source: Amazon SQS Developer Guide, "Encryption at rest in Amazon SQS".
        encryption=sqs.QueueEncryption.SQS_MANAGED if key is None else sqs.QueueEncryption.KMS,
        encryption_master_key=key,
        enforce_ssl=True,
        visibility_timeout=Duration.seconds(VISIBILITY_FACTOR * int(TIMEOUT.to_seconds())),
        # If noting fails, nothing is lost. SQS redrives only from a queue that is another queue's dead-letter queue.
        dead_letter_queue=sqs.DeadLetterQueue(
            queue=cast("sqs.IQueue", dead_letter_queue),
            max_receive_count=min(MAXIMUM_RECEIVES, spent + MINIMUM_RECEIVES),
        ),
    )
    made = cast("sqs.CfnQueue", failed.node.default_child)
    made.message_retention_period = lazy_number(lambda: _retention(dead_letter_queue))
    resource.redrive_policy = {"deadLetterTargetArn": failed.queue_arn, "maxReceiveCount": receives}
    failed.grant_consume_messages(function)
    dead_letter_queue.grant_send_messages(function)
    mapping = lambda_.EventSourceMapping(
        function,
        "Mapping",
        target=cast("lambda_.IFunction", function),
        event_source_arn=failed.queue_arn,
        batch_size=10,
        max_concurrency=MINIMUM_CONCURRENCY,
        report_batch_item_failures=True,
    )
    acknowledge(
        mapping,
        "A queue's mapping has no failure destination: the queue's dead-letter queue keeps what fails.",
        "Serverless-LambdaEventSourceMappingDestination",
    )
    return cast("sqs.IQueue", failed)


def _check(invocation: Buffer, dead_letter_queue: sqs.IQueue) -> None:
    """Refuse what would leave messages on the way, unseen or without a way back."""
    if alarms_of(invocation):
        raise BreakwaterError(
            invocation,
            "alarms() was called before add_front_door, so no alarm watches the queue that failures pass through.",
            "Call it after.",
        )
    resource: Any = dead_letter_queue.node.default_child
    allowed = Stack.of(invocation).resolve(getattr(resource, "redrive_allow_policy", None)) or {}
    permission = allowed.get("redrivePermission", "allowAll")
    if permission != "allowAll":
        raise BreakwaterError(
            invocation,
            f"the redrive_allow_policy of {dead_letter_queue.node.path} is {permission}, and failures come there by a "
            "queue of the front door's.",
            "Leave it out, or set redrive_permission=sqs.RedrivePermission.ALLOW_ALL.",
        )
    validate_at_synth(invocation, partial(_other_origins, invocation, dead_letter_queue))


def _other_origins(invocation: Buffer, dead_letter_queue: sqs.IQueue) -> list[str]:
    # A message that was sent on, not moved by SQS, doesn't know where it came from, and a redrive would have to.
    # Source: Amazon SQS Developer Guide, "Troubleshooting dead-letter queue and DLQ redrive issues".
    return [
        f"{dead_letter_queue.node.path} is also the dead-letter queue of {other.node.path}, and messages that came "
        f"through a front door no longer show their queue. Give {invocation.queue.node.path} a dead-letter queue of "
        "its own."
        for other in invocation.node.root.node.find_all()
        if isinstance(other, sqs.Queue)
        and other not in (invocation.queue, invocation.failures_queue)
        and other.dead_letter_queue is not None
        and other.dead_letter_queue.queue is dead_letter_queue
    ]


def _in_the_bucket(invocation: Buffer, results: JobResults, bucket: s3.Bucket) -> None:
    from aws_cdk import aws_events as events
    from aws_cdk import aws_events_targets as targets

    function = _function(invocation, results, {})
    resource: Any = bucket.node.default_child
    # Not Bucket.enable_event_bridge_notification, which brings a function of its own to set what CloudFormation can.
    resource.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
        event_bridge_configuration=s3.CfnBucket.EventBridgeConfigurationProperty(event_bridge_enabled=True)
    )
    rule = events.Rule(
        function,
        "Rule",
        event_pattern=events.EventPattern(
            source=["aws.s3"], detail_type=["Object Created"], detail={"bucket": {"name": [bucket.bucket_name]}}
        ),
        targets=[cast("Any", targets.LambdaFunction(cast("lambda_.IFunction", function)))],
    )
    acknowledge(
        rule,
        "EventBridge tries for 24 h, and the records that it speaks of stay in the bucket.",
        "Serverless-EventBusDLQ",
    )
    function.add_to_role_policy(iam.PolicyStatement(actions=["s3:GetObject"], resources=[bucket.arn_for_objects("*")]))
    if bucket.encryption_key is not None:
        bucket.encryption_key.grant_decrypt(function)
    acknowledge_objects(function.role, bucket, "Lambda names the objects in the bucket of failed records.")


def _function(invocation: Buffer, results: JobResults, settings: dict[str, object]) -> lambda_.Function:
    function = make_function(
        invocation,
        _ID,
        handler="failures",
        variable=_VARIABLE,
        settings={
            "table": results.table.table_name,
            "seconds": int(results.ttl.to_seconds()),
            **settings,
        },
    )
    results.table.grant(function, "dynamodb:GetItem", "dynamodb:UpdateItem")
    invocation.failures_function = function
    return function


def _retention(dead_letter_queue: sqs.IQueue) -> int:
    """Return seconds, fewer than the dead-letter queue's: a message's age counts from when it was first sent."""
    seconds = retention_seconds(dead_letter_queue)
    if seconds is None:
        seconds = MAXIMUM_RETENTION_SECONDS
    return seconds - min(_DAY, seconds // 2)
