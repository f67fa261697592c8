"""The queues of a quota: what producers send to, the doorbell, the dead letters, and what an older release filled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Duration, Tags
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from .._cdk.nag import acknowledge
from .._cdk.queue_retention import MAXIMUM_RETENTION
from ..limits.sqs import MAXIMUM_RECEIVES
from ..limits.visibility_factor import VISIBILITY_FACTOR
from .grantee import require_grantee

if TYPE_CHECKING:
    from aws_cdk import RemovalPolicy
    from aws_cdk import aws_iam as iam
    from constructs import IConstruct


class QuotaQueues(Construct):
    """Make them all, encrypted, for TLS only, with the longest retention.

    The removal policy is of those that hold messages: not of the doorbell.

    The lanes held the backlog before it had a shelf in the table. They stay, and the intake empties them, so that a
    deployment over that release loses nothing.

    The failures of a message are counted by the dispatcher, so that waiting never looks like failing. The redrive
    policies are but a last resort against a message that crashes the dispatcher itself, hence the highest count.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        ordered: bool,
        lanes: int,
        priority: bool,
        tiers: str,
        dispatcher_timeout: Duration,
        intake_timeout: Duration,
        window: Duration,
        removal_policy: RemovalPolicy,
    ) -> None:
        super().__init__(scope, id)
        self._removal_policy = removal_policy
        self._fifo = True if ordered else None  # CloudFormation refuses an explicit false
        self.dead_letter_queue = self._queue("DeadLetters")
        acknowledge(
            self.dead_letter_queue,
            "It is the dead-letter queue itself.",
            "AwsSolutions-SQS3",
            "Serverless-SQSRedrivePolicy",
        )
        acknowledge(
            self.dead_letter_queue,
            "What waits for its quota is kept for the 14 days that SQS allows, and so is what failed: the dispatcher "
            "sends that as a new message, whose age begins anew.",
            "Breakwater::DeadLetterQueueRetention",
        )
        redrive = sqs.DeadLetterQueue(queue=self.dead_letter_queue, max_receive_count=MAXIMUM_RECEIVES)
        visibility = Duration.seconds(VISIBILITY_FACTOR * int(intake_timeout.to_seconds()) + int(window.to_seconds()))
        self.queue = self._queue("Queue", visibility, redrive, deduplicate=True)
        self.priority_queue = self._queue("Priority", visibility, redrive, deduplicate=True) if priority else None
        self.lanes = [self._queue(f"Lane{number}", visibility, redrive) for number in range(lanes)]
        self.priority_lane = self._queue("PriorityLane", visibility, redrive) if priority else None
        # Lambda wants at least the function's timeout here; the dispatcher hides its ring for seconds at a time only.
        self.doorbell = sqs.Queue(
            self,
            "Doorbell",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            visibility_timeout=dispatcher_timeout,
            retention_period=MAXIMUM_RETENTION,
        )
        Tags.of(self.doorbell).add("breakwater:tiers", tiers)
        acknowledge(
            self.doorbell,
            "A ring carries nothing, and must come back whenever a dispatcher fails: a redrive policy would lose it.",
            "AwsSolutions-SQS3",
            "Serverless-SQSRedrivePolicy",
            "Breakwater::QueueDeadLetterQueue",
        )
        acknowledge(
            self.doorbell,
            "The dispatcher hides its ring for seconds at a time, again and again, and a second one that finds it "
            "finds the first awake and leaves.",
            "Breakwater::QueueVisibilityTimeout",
        )

    @property
    def former(self) -> list[sqs.Queue]:
        """The lanes that an older release filled, the priority lane first."""
        return [*([self.priority_lane] if self.priority_lane else []), *self.lanes]

    @property
    def doors(self) -> list[sqs.Queue]:
        """What producers send to, the priority queue first."""
        return [*([self.priority_queue] if self.priority_queue else []), self.queue]

    def _queue(
        self,
        id: str,
        visibility: Duration | None = None,
        redrive: sqs.DeadLetterQueue | None = None,
        *,
        deduplicate: bool = False,
    ) -> sqs.Queue:
        return sqs.Queue(
            self,
            id,
            fifo=self._fifo,
            content_based_deduplication=True if self._fifo and deduplicate else None,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=MAXIMUM_RETENTION,
            visibility_timeout=visibility,
            dead_letter_queue=redrive,
            removal_policy=self._removal_policy,
        )


def send_grant(
    quota: IConstruct,
    queue: sqs.IQueue | sqs.Queue,
    priority_queue: sqs.IQueue | sqs.Queue | None,
    grantee: iam.IGrantable,
) -> iam.Grant:
    """Allow sending to what producers send to."""
    require_grantee(quota, grantee)
    grant = queue.grant_send_messages(grantee)
    return grant.combine(priority_queue.grant_send_messages(grantee)) if priority_queue else grant
