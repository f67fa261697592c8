"""A decoupled invocation as its source, its alarms and its front door see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from aws_cdk import Names, Stack
from constructs import Construct

from ..errors import BreakwaterError

if TYPE_CHECKING:
    from aws_cdk import aws_cloudwatch as cloudwatch
    from aws_cdk import aws_dynamodb as dynamodb
    from aws_cdk import aws_kinesis as kinesis
    from aws_cdk import aws_lambda as lambda_
    from aws_cdk import aws_s3 as s3
    from aws_cdk import aws_sqs as sqs
    from constructs import IConstruct

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
    failures_function: lambda_.Function | None = None
    dead_letter_alarm: cloudwatch.Alarm | None = None
    failure_bucket: s3.IBucket | None = None
    maximum_concurrency: int
    _replaced: str | None = None

    def replace_event_source(self, kind: str, source: IConstruct) -> None:
        """Have the mapping stand where `add_event_source` would put it, with the logical id that it has from there.

        Parameters
        ----------
        kind
            The name that the L2 gives it, such as `SqsEventSource`.
        source
            The queue, stream, consumer or table.

        Raises
        ------
        BreakwaterError
            When `add_event_source` is called as well.
        """
        self._replaced = f"{kind}:{Names.node_unique_id(source.node)}"
        there = self.function.node.try_find_child(self._replaced)
        if there is not None:
            raise BreakwaterError(
                self, f"it replaces {there.node.path}, which is there still.", "Remove that add_event_source."
            )

    def mapping_scope(self) -> tuple[Construct, str]:
        """Return where the mapping stands and its id: within a function of another stack, or where one stood, or here.

        The function's role refers to the source. Were the mapping beside the source, which refers to the function, two
        stacks would need each other first.
        """
        if self._replaced is not None:
            return cast("Construct", self.function), self._replaced
        if Stack.of(self.function) is Stack.of(self):
            return self, "Mapping"
        return cast("Construct", self.function), f"{Names.node_unique_id(self.node)}Mapping"

    def redrive(self) -> str:
        """Return the command that tries again what failed for good."""
        raise NotImplementedError
