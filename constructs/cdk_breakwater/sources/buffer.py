"""A decoupled invocation as its source, its alarms and its front door see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from aws_cdk import Names, Stack
from constructs import Construct

if TYPE_CHECKING:
    from aws_cdk import aws_cloudwatch as cloudwatch
    from aws_cdk import aws_dynamodb as dynamodb
    from aws_cdk import aws_kinesis as kinesis
    from aws_cdk import aws_lambda as lambda_
    from aws_cdk import aws_s3 as s3
    from aws_cdk import aws_sqs as sqs

    from ..budgets.mapping_division import FunctionConcurrency


class Buffer(Construct):
    """What a source makes and a function reads from; see `DecoupledInvocation`."""

    function: lambda_.IFunction
    concurrency: FunctionConcurrency
    event_source_mapping: lambda_.EventSourceMapping
    queue: sqs.IQueue
    stream: kinesis.IStream
    table: dynamodb.ITable | dynamodb.ITableV2
    dead_letter_queue: sqs.IQueue | None
    failures_queue: sqs.IQueue | None = None
    dead_letter_alarm: cloudwatch.Alarm | None = None
    failure_bucket: s3.IBucket | None = None
    maximum_concurrency: int

    def mapping_scope(self) -> tuple[Construct, str]:
        """Return where the mapping stands and its id: within a function of another stack, or else here.

        The function's role refers to the source. Were the mapping beside the source, which refers to the function, two
        stacks would need each other first.
        """
        if Stack.of(self.function) is Stack.of(self):
            return self, "Mapping"
        return cast("Construct", self.function), f"{Names.node_unique_id(self.node)}Mapping"

    def redrive(self) -> str:
        """Return the command that tries again what failed for good."""
        raise NotImplementedError
