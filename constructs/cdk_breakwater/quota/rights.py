"""What the functions of a quota may do, and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_iam as iam

if TYPE_CHECKING:
    from .invocation import QuotaThrottledInvocation
    from .queues import QuotaQueues


def grant_functions(quota: QuotaThrottledInvocation, queues: QuotaQueues) -> None:
    """Let intake and dispatcher do their work."""
    intake, dispatcher, table = quota.intake, quota.dispatcher, quota.table
    # A deployment changes rights before code: until then the functions of the release before must be able to file
    # into the lanes, to look at the table, and to delete from the lanes what they have called.
    for lane in queues.former:
        lane.grant_send_messages(intake)
        lane.grant_consume_messages(dispatcher)
    queues.doorbell.grant(dispatcher, "sqs:ListQueueTags")
    queues.doorbell.grant_send_messages(intake)
    queues.doorbell.grant_send_messages(dispatcher)
    queues.dead_letter_queue.grant_send_messages(dispatcher)
    if quota.key or any(tier.weight for tier in quota.tiers):
        queues.dead_letter_queue.grant_send_messages(intake)
    table.grant(intake, "dynamodb:GetItem", "dynamodb:UpdateItem", "dynamodb:PutItem")
    # Scan: once a day it looks for pages that were put after they were given up.
    table.grant(
        dispatcher, *(f"dynamodb:{action}" for action in ("GetItem", "UpdateItem", "PutItem", "DeleteItem", "Scan"))
    )
    if quota.key:
        table.grant(dispatcher, "dynamodb:BatchGetItem", "dynamodb:BatchWriteItem")
    # Not grant_invoke, which adds all versions and aliases.
    dispatcher.add_to_role_policy(
        iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[quota.function.function_arn])
    )
