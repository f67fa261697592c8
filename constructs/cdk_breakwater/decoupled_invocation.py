"""A buffer between senders that come in bursts and a function that must not."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from aws_cdk import Names, Stack
from constructs import Construct

from .errors import BreakwaterError
from .function_concurrency import FunctionConcurrency
from .invocation_source import InvocationSource

if TYPE_CHECKING:
    from aws_cdk import aws_cloudwatch as cloudwatch
    from aws_cdk import aws_dynamodb as dynamodb
    from aws_cdk import aws_iam as iam
    from aws_cdk import aws_kinesis as kinesis
    from aws_cdk import aws_lambda as lambda_
    from aws_cdk import aws_s3 as s3
    from aws_cdk import aws_sqs as sqs


class DecoupledInvocation(Construct):
    """Invoke a function through a source that buffers, at the concurrency that the function's share grants.

    Parameters
    ----------
    scope, id
        Where it stands in the construct tree.
    function
        Who works: a function with a share (`VpcDatabaseFunction`, `PublicSslDatabaseFunction`, `share.limit(function)`)
        or with a reserved concurrency.
    source
        What it reads from. Default: `InvocationSource.sqs()`.

    Attributes
    ----------
    event_source_mapping : lambda_.EventSourceMapping
        Between source and function.
    maximum_concurrency : int
        How many invocations the mapping runs at once: a lazy number.
    queue : sqs.IQueue
    stream : kinesis.IStream
    table : dynamodb.ITable or ITableV2
        What it reads from: the one that the source stands for.
    dead_letter_queue : sqs.IQueue or None
        Where messages end that failed `max_receive_count` times; None when an imported queue keeps it elsewhere, and
        for streams.
    dead_letter_alarm : cloudwatch.Alarm or None
        Speaks while there is a message in a dead-letter queue of its own; it has no action yet.
    failure_bucket : s3.IBucket or None
        Where the records of a stream end that failed; None with `on_failure`, and for queues.

    Raises
    ------
    BreakwaterError
        When nothing limits the function, when its share is fixed below what the source needs, or when an existing queue
        breaks a rule.
    """

    queue: sqs.IQueue
    stream: kinesis.IStream
    table: dynamodb.ITable | dynamodb.ITableV2
    dead_letter_queue: sqs.IQueue | None
    dead_letter_alarm: cloudwatch.Alarm | None = None
    failure_bucket: s3.IBucket | None = None
    maximum_concurrency: int

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        function: lambda_.IFunction | lambda_.Function,
        source: InvocationSource | None = None,
    ) -> None:
        super().__init__(scope, id)
        # jsii's Function is no IFunction in the eyes of a type checker.
        self.function = cast("lambda_.IFunction", function)
        concurrency = FunctionConcurrency.of(self.function)
        if concurrency is None:
            raise BreakwaterError(
                self,
                f"nothing limits {function.node.path}, so a burst passes through the source undiminished.",
                "Use VpcDatabaseFunction, take a share with ConnectionBudget.of(database).share(…).limit(function), "
                "or give the function reserved_concurrent_executions.",
            )
        self.concurrency = concurrency
        self._source = source or InvocationSource.sqs()
        self.event_source_mapping = self._source.bind(self)

    def mapping_scope(self) -> tuple[Construct, str]:
        """Return where the mapping stands and its id: within a function of another stack, or else here.

        The function's role refers to the source. Were the mapping beside the source, which refers to the function, two
        stacks would need each other first.
        """
        if Stack.of(self.function) is Stack.of(self):
            return self, "Mapping"
        return cast("Construct", self.function), f"{Names.node_unique_id(self.node)}Mapping"

    def redrive(self) -> str:
        """Return the command that tries again what failed for good, once its cause is mended.

        Messages go from the dead-letter queue back to the queue; failed records of a stream, from the bucket to the
        function.
        """
        from .stream_source import StreamSource

        # What a stream's mapping gave up is found by way of the mapping.
        scope, id = self.mapping_scope() if isinstance(self._source, StreamSource) else (self, "")
        path = self.node.path if scope is self else f"{scope.node.path}/{id}"
        return f"breakwater redrive {Stack.of(scope).stack_name} --construct {path}"

    def grant_send(self, grantee: iam.IGrantable) -> iam.Grant:
        """Allow sending to the source."""
        return self._source.grant_send(self, grantee)
