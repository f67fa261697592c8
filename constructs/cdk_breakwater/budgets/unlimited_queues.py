"""Queues that are read by a function of a budget without a MaximumConcurrency."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Annotations, Token

from .._cdk.references import references

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aws_cdk import aws_lambda as lambda_
    from constructs import IConstruct

    from .budget import ConnectionBudget
    from .share import ConnectionShare


def warn_of_unlimited_queues(budget: ConnectionBudget) -> None:
    """Warn of each: its mapping asks for more than the share, and what Lambda refuses has been received.

    Source: AWS Lambda Developer Guide, "Configuring scaling behavior for SQS": throttled receives count, and a message
    ends in the dead-letter queue untried.
    """
    shares = {f"{share.reserves.node.path}/Resource": share for share in budget.shares if share.reserves is not None}
    for mapping, function in _unlimited(budget.node.root) if shares else ():
        share: ConnectionShare | None = shares.get(function.node.path)
        if share is not None:
            Annotations.of(mapping).add_warning_v2(
                "cdk-breakwater:unlimited-queue",
                f"it has no MaximumConcurrency, and the share of {share.name} is {share.resolve()}: Lambda "
                "receives more messages than may run, refuses the rest, and refused receives count, so that messages "
                "end in the dead-letter queue untried. Pass max_concurrency=share.concurrency to the SqsEventSource, "
                "or put a DecoupledInvocation in its place, with InvocationSource.sqs(queue, "
                "replaces_event_source=True).",
            )


def _unlimited(root: IConstruct) -> Iterator[tuple[lambda_.CfnEventSourceMapping, IConstruct]]:
    from aws_cdk import aws_lambda as lambda_

    for mapping in root.node.find_all():
        if not isinstance(mapping, lambda_.CfnEventSourceMapping) or mapping.scaling_config is not None:
            continue
        if not _is_queue(mapping):
            continue
        for function in references(mapping.function_name, mapping):
            if isinstance(function, (lambda_.CfnAlias, lambda_.CfnVersion)):
                yield from ((mapping, behind) for behind in references(function.function_name, function))
            else:
                yield mapping, function


def _is_queue(mapping: lambda_.CfnEventSourceMapping) -> bool:
    from aws_cdk import aws_sqs as sqs

    arn = mapping.event_source_arn or ""
    if not Token.is_unresolved(arn):
        return ":sqs:" in arn
    return any(isinstance(source, sqs.CfnQueue) for source in references(arn, mapping))
