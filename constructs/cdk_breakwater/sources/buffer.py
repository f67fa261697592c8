"""A decoupled invocation as its source, its alarms and its front door see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from aws_cdk import Names, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from ..errors import BreakwaterError
from .binding import Kinesis, QueueBinding, StreamBinding, Table

if TYPE_CHECKING:
    from aws_cdk import aws_dynamodb as dynamodb
    from aws_cdk import aws_kinesis as kinesis
    from aws_cdk import aws_lambda as lambda_
    from aws_cdk import aws_s3 as s3
    from aws_cdk import aws_sqs as sqs
    from constructs import IConstruct

    from ..budgets.mapping_division import FunctionConcurrency

DEAD_LETTER_ALARM = "DeadLetterAlarm"


class Buffer(Construct):
    """What a source makes and a function reads from; see `DecoupledInvocation`."""

    function: lambda_.IFunction
    concurrency: FunctionConcurrency
    binding: QueueBinding | StreamBinding
    failures_queue: sqs.IQueue | None = None
    failures_function: lambda_.Function | None = None

    @property
    def event_source_mapping(self) -> lambda_.EventSourceMapping:
        """Between source and function."""
        return self.binding.mapping

    @property
    def maximum_concurrency(self) -> int:
        """How many invocations the mapping runs at once: a lazy number."""
        return self.binding.maximum_concurrency

    @property
    def queue(self) -> sqs.IQueue:
        """The queue that it reads from."""
        if isinstance(self.binding, QueueBinding):
            return self.binding.queue
        raise self._reads_something_else("queue")

    @property
    def stream(self) -> kinesis.IStream:
        """The Kinesis stream that it reads from."""
        if isinstance(self.binding, StreamBinding) and isinstance(self.binding.origin, Kinesis):
            return self.binding.origin.stream
        raise self._reads_something_else("stream")

    @property
    def table(self) -> dynamodb.ITable | dynamodb.ITableV2:
        """The table whose stream it reads from."""
        if isinstance(self.binding, StreamBinding) and isinstance(self.binding.origin, Table):
            return self.binding.origin.table
        raise self._reads_something_else("table")

    @property
    def dead_letter_queue(self) -> sqs.IQueue | None:
        """Where messages end that failed for good; None where an imported queue keeps it elsewhere, and for streams."""
        return self.binding.dead_letter_queue if isinstance(self.binding, QueueBinding) else None

    @property
    def failure_bucket(self) -> s3.IBucket | None:
        """Where the records of a stream end that failed; None with `on_failure`, and for queues."""
        bucket = self.binding.failure_bucket if isinstance(self.binding, StreamBinding) else None
        return cast("s3.IBucket | None", bucket)

    @property
    def dead_letter_alarm(self) -> cloudwatch.Alarm | None:
        """Goes off while there is a message in the dead-letter queue; None before one was made."""
        found = self.node.try_find_child(DEAD_LETTER_ALARM)
        return found if isinstance(found, cloudwatch.Alarm) else None

    def _reads_something_else(self, name: str) -> AttributeError:
        kind = type(self.binding.origin).__name__ if isinstance(self.binding, StreamBinding) else "Queue"
        return AttributeError(f"{self.node.path} reads a {kind.lower()}, so it has no {name}.")

    def replaced_event_source(self, kind: str, source: IConstruct) -> str:
        """Return the id by which `add_event_source` would name the mapping, which gives it the logical id from there.

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
        replaced = f"{kind}:{Names.node_unique_id(source.node)}"
        there = self.function.node.try_find_child(replaced)
        if there is not None:
            raise BreakwaterError(
                self, f"it replaces {there.node.path}, which still exists.", "Remove the call of add_event_source."
            )
        return replaced

    def mapping_scope(self, replaced: str | None) -> tuple[Construct, str]:
        """Return where the mapping stands and its id: within a function of another stack, or where one stood, or here.

        The function's role refers to the source. Were the mapping beside the source, which refers to the function, two
        stacks would need each other first.
        """
        if replaced is not None:
            return cast("Construct", self.function), replaced
        if Stack.of(self.function) is Stack.of(self):
            return self, "Mapping"
        return cast("Construct", self.function), f"{Names.node_unique_id(self.node)}Mapping"

    def redrive(self) -> str:
        """Return the command that tries again what failed for good."""
        raise NotImplementedError
