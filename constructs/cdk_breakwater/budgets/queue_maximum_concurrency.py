"""Queues that ask for more than the share of the function that reads them, or leave a part of it unused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Annotations, Token

from .._cdk.references import references
from .._cdk.rendered import rendered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aws_cdk import aws_lambda as lambda_
    from constructs import IConstruct

    from .budget import ConnectionBudget

_SCALING = "ScalingConfig"


def compare_queues(budget: ConnectionBudget) -> None:
    """Compare the MaximumConcurrency of the queues before a budget's functions with the functions' shares.

    A mapping without one asks for more than the share, and what Lambda refuses has been received. Source: AWS Lambda
    Developer Guide, "Configuring scaling behavior for SQS": throttled receives count, and a message ends in the
    dead-letter queue untried. Mappings that have less than the share together leave connections to nobody.
    """
    shares = {f"{share.reserves.node.path}/Resource": share for share in budget.shares if share.reserves is not None}
    limited: dict[str, list[int]] = {}
    queued: dict[str, int] = {}
    for mapping, function in _mappings(budget.node.root) if shares else ():
        share = shares.get(function.node.path)
        if share is None:
            continue
        is_queue = _is_queue(mapping)
        maximum = _maximum(mapping) if is_queue else None
        # A stream's mapping may take all of it, as far as can be told here.
        limited.setdefault(function.node.path, []).append(share.resolve() if maximum is None else maximum)
        queued[function.node.path] = queued.get(function.node.path, 0) + (maximum or 0)
        if mapping.scaling_config is None and is_queue:
            Annotations.of(mapping).add_warning_v2(
                "cdk-breakwater:unlimited-queue",
                f"it has no MaximumConcurrency, and the share of {share.name} is {share.resolve()}. Lambda receives "
                "more messages than the function can process at once, and throttles the rest. Each throttled "
                "message has used up a receive, so messages reach the dead-letter queue without processing. Pass "
                "max_concurrency=share.concurrency to the SqsEventSource, or replace it by a DecoupledInvocation with "
                "InvocationSource.sqs(queue, replaces_event_source=True).",
            )
    for path, numbers in limited.items():
        share, most = shares[path], sum(numbers)
        granted = share.resolve()
        if queued[path] > granted:
            Annotations.of(budget).add_warning_v2(
                "cdk-breakwater:queue-above-share",
                f"the queues before {share.name} let {queued[path]} run, and its share is {granted}. Messages are "
                "received only to be throttled, and reach the dead-letter queue without processing. Pass "
                "max_concurrency=share.concurrency to its SqsEventSource, or a part of share.concurrency.split(…).",
            )
        if most < granted:
            Annotations.of(budget).add_info_v2(
                "cdk-breakwater:stranded-concurrency",
                f"the queues before {share.name} let {most} of its share of {granted} run. {granted - most} x "
                f"{share.connections_per_environment} connections stay unused, unless something else invokes it. "
                f"Pass concurrency={most} to it, or raise MaximumConcurrency.",
            )


def _mappings(root: IConstruct) -> Iterator[tuple[lambda_.CfnEventSourceMapping, IConstruct]]:
    from aws_cdk import aws_lambda as lambda_

    for mapping in root.node.find_all():
        if not isinstance(mapping, lambda_.CfnEventSourceMapping):
            continue
        # Once each, though a value may be seen twice on its way.
        behind = {function.node.path: function for function in references(mapping.function_name, mapping)}
        for function in behind.values():
            if isinstance(function, (lambda_.CfnAlias, lambda_.CfnVersion)):
                named = {each.node.path: each for each in references(function.function_name, function)}
                yield from ((mapping, each) for each in named.values())
            else:
                yield mapping, function


def _maximum(mapping: lambda_.CfnEventSourceMapping) -> int | None:
    """Return the MaximumConcurrency; None where there is none, or a guard answers it."""
    scaling = rendered(mapping, _SCALING).get(_SCALING)
    maximum = scaling.get("MaximumConcurrency") if isinstance(scaling, dict) else None
    return int(maximum) if isinstance(maximum, (int, float)) else None


def _is_queue(mapping: lambda_.CfnEventSourceMapping) -> bool:
    from aws_cdk import aws_sqs as sqs

    arn = mapping.event_source_arn or ""
    if not Token.is_unresolved(arn):
        return ":sqs:" in arn
    return any(isinstance(source, sqs.CfnQueue) for source in references(arn, mapping))
