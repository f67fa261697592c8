"""The two functions of a quota: the intake, which files messages, and the dispatcher, which makes the calls."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_

from .._cdk.function_settings import rendered_timeout
from .._cdk.late_validation import validate_at_synth
from .._cdk.nag import acknowledge, compliance_rules
from ..functions.base import PreparedFunction
from ..layers.handler_code import handler_code

if TYPE_CHECKING:
    from aws_cdk import aws_sqs as sqs
    from constructs import Construct

INTAKE_TIMEOUT = Duration.seconds(30)


def make_function(
    scope: Construct,
    id: str,
    *,
    handler: str,
    timeout: Duration,
    memory_size: int,
    environment: dict[str, str],
    limited_by: str = "The mapping of its queue limits it",
) -> lambda_.Function:
    """Make a function of the quota's own code, in no VPC, which Lambda's recursive loop detection leaves alone."""
    function = PreparedFunction(
        scope,
        id,
        layer=None,
        settings=environment,
        options={"timeout": timeout, "memory_size": memory_size},
        fixed={
            **handler_code("quota_dispatcher", handler),
            "runtime": lambda_.Runtime.PYTHON_3_14,
            "architecture": lambda_.Architecture.ARM_64,
            # A dispatcher that leaves work behind rings for the next one. Lambda would take that for a runaway loop.
            "recursive_loop": lambda_.RecursiveLoop.ALLOW,
        },
    )
    acknowledge(
        function,
        f"{limited_by}; it calls AWS services only, by TLS and IAM, so a VPC would add nothing.",
        *compliance_rules("LambdaConcurrency", "LambdaInsideVPC"),
    )
    validate_at_synth(function, partial(_changed_timeout, function, int(timeout.to_seconds())))
    return function


def _changed_timeout(function: lambda_.Function, timeout: int) -> list[str]:
    final = rendered_timeout(function)
    if final == timeout:
        return []
    return [
        f"its timeout is {'a token' if final is None else f'{final} s'} in the template, and was made {timeout} s, so "
        "that it awaits the end of its calls and its queue's visibility timeout suits it: an Aspect or an override "
        "came after it. Leave this function out there."
    ]


def map_queue(
    function: lambda_.Function,
    id: str,
    queue: sqs.Queue,
    *,
    batch_size: int,
    max_concurrency: int,
    window: Duration | None = None,
) -> lambda_.EventSourceMapping:
    """Let a queue invoke a function."""
    target: Any = function
    queue.grant_consume_messages(function)
    mapping = lambda_.EventSourceMapping(
        function,
        id,
        target=target,
        event_source_arn=queue.queue_arn,
        batch_size=batch_size,
        max_concurrency=max_concurrency,
        max_batching_window=window,
        report_batch_item_failures=True,
    )
    acknowledge(
        mapping,
        "A queue's mapping has no failure destination: the queue keeps what fails.",
        "Serverless-LambdaEventSourceMappingDestination",
    )
    return mapping
