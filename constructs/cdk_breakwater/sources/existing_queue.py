"""The rules that a queue of the user's own must follow to be a source, and the exceptions it may state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from aws_cdk import Annotations

from .._cdk.nag import acknowledge
from .._cdk.queue_retention import MAXIMUM_RETENTION, retention_seconds
from .._cdk.rendered import rendered, rendered_number
from ..errors import BreakwaterError
from ..limits.sqs import DEFAULT_VISIBILITY_SECONDS, MINIMUM_RECEIVES
from .cross_account_source import check_environment

if TYPE_CHECKING:
    from aws_cdk import aws_sqs as sqs
    from constructs import IConstruct

    from .buffer import Buffer

_DAY = 86_400


@dataclass(frozen=True)
class ExistingQueue:
    """A queue made elsewhere in the app.

    Parameters
    ----------
    queue
        The queue.
    exceptions
        Reasons by the parameter that states them, None where there is none.
    """

    queue: sqs.IQueue
    exceptions: dict[str, str | None]

    def check(self, invocation: Buffer, visibility_seconds: int) -> sqs.IQueue | None:
        """Insist on the rules, and return the queue's dead-letter queue."""
        for parameter, reason in self.exceptions.items():
            if reason is not None and not reason.strip():
                raise BreakwaterError(
                    invocation, f"{parameter} is empty.", "Give the reason why the queue is right as it is."
                )
        check_environment(
            invocation,
            self.queue,
            self.queue.queue_arn,
            "the queue's policy",
            ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility"),
        )
        resource: Any = self.queue.node.default_child
        if resource is None:
            Annotations.of(invocation).add_warning_v2(
                "cdk-breakwater:imported-queue",
                f"{self.queue.node.path} is imported, so it can't be checked here. Its visibility timeout must be at "
                f"least {visibility_seconds} s, and it needs a dead-letter queue with maxReceiveCount of "
                f"{MINIMUM_RECEIVES} or more.",
            )
            return None
        self._check_visibility(invocation, visibility_seconds)
        dead_letter_queue = self._check_redrive(invocation)
        if dead_letter_queue is not None:
            self._check_retention(invocation, dead_letter_queue)
        return dead_letter_queue

    def _check_visibility(self, invocation: Buffer, needed: int) -> None:
        given = rendered_visibility(cast("IConstruct", self.queue.node.default_child))
        if given is not None and given < needed:
            self._except(
                invocation,
                f"the visibility timeout of {self.queue.node.path} is {given} s, below 6 x the function's timeout plus "
                "the batching window: messages would be delivered twice.",
                f"Set visibility_timeout=Duration.seconds({needed}) or more",
                "acknowledge_visibility_timeout",
                (self.queue, "Breakwater::QueueVisibilityTimeout"),
            )

    def _check_redrive(self, invocation: Buffer) -> sqs.IQueue | None:
        path = self.queue.node.path
        redrive = self.queue.dead_letter_queue  # type: ignore[attr-defined]
        if redrive is None:
            self._except(
                invocation,
                f"{path} has no dead-letter queue, so a bad message is retried until it expires, then lost.",
                f"Give it dead_letter_queue=sqs.DeadLetterQueue(queue=…, max_receive_count={MINIMUM_RECEIVES})",
                "acknowledge_dead_letter_queue",
                (self.queue, "Breakwater::QueueDeadLetterQueue", "AwsSolutions-SQS3", "Serverless-SQSRedrivePolicy"),
            )
            return None
        if redrive.queue.fifo != self.queue.fifo:
            raise BreakwaterError(
                invocation,
                f"{redrive.queue.node.path} is {'a FIFO' if redrive.queue.fifo else 'a standard'} queue and {path}, "
                "whose dead-letter queue it is, is not.",
                f"Give it fifo={self.queue.fifo}; SQS accepts no other.",
            )
        receives = rendered_receives(cast("IConstruct", self.queue.node.default_child))
        if receives is not None and receives < MINIMUM_RECEIVES:
            self._except(
                invocation,
                f"max_receive_count of {path} is {receives}: throttled receives alone send a message to the "
                "dead-letter queue untried.",
                f"Set max_receive_count={MINIMUM_RECEIVES} or more",
                "acknowledge_dead_letter_queue",
                (self.queue, "Breakwater::QueueDeadLetterQueue"),
            )
        return redrive.queue

    def _check_retention(self, invocation: Buffer, dead_letter_queue: sqs.IQueue) -> None:
        if self.queue.fifo:  # in a FIFO queue a message's age counts anew from the move
            return
        kept, kept_dead = retention_seconds(self.queue), retention_seconds(dead_letter_queue)
        if kept is None or kept_dead is None or kept_dead > kept:
            return
        longest = int(MAXIMUM_RETENTION.to_days())
        remedy = f"Set retention_period=Duration.days({longest}) on the dead-letter queue"
        if kept >= MAXIMUM_RETENTION.to_seconds():
            remedy = f"Set a retention_period below {longest} days on {self.queue.node.path}"
        self._except(
            invocation,
            f"{dead_letter_queue.node.path} keeps messages for {kept_dead / _DAY:g} days, no longer than "
            f"{self.queue.node.path} ({kept / _DAY:g} days): messages keep their age, so after a long backlog they "
            "expire unseen.",
            remedy,
            "acknowledge_dead_letter_retention",
            (dead_letter_queue, "Breakwater::DeadLetterQueueRetention"),
        )

    def _except(self, invocation: Buffer, problem: str, remedy: str, parameter: str, rules: tuple[Any, ...]) -> None:
        reason = self.exceptions[parameter]
        if reason is None:
            raise BreakwaterError(invocation, problem, f'{remedy}, or say why it is right: {parameter}="…".')
        where, *ids = rules
        acknowledge(where, reason, *ids)


def rendered_visibility(queue: IConstruct) -> int | None:
    """Return a queue's visibility timeout in seconds, as the template will have it; None for a token."""
    return rendered_number(queue, "VisibilityTimeout", DEFAULT_VISIBILITY_SECONDS)


def rendered_receives(queue: IConstruct) -> int | None:
    """Return a queue's maxReceiveCount, as the template will have it; None for a token, and without one."""
    policy = rendered(queue, "RedrivePolicy").get("RedrivePolicy")
    given = policy.get("maxReceiveCount") if isinstance(policy, dict) else None
    return int(given) if isinstance(given, (int, float)) else None
