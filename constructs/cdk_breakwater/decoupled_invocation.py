"""A buffer between senders that come in bursts and a function that must not."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from aws_cdk import Stack

from ._cdk.arguments import FUNCTION, instance_of, require
from ._cdk.late_validation import validate_at_synth
from .budgets.mapping_division import FunctionConcurrency
from .errors import BreakwaterError
from .monitoring.dashboard_page import show_with
from .sources.buffer import Buffer
from .sources.second_mapping import second_mapping_errors
from .sources.source import InvocationSource

if TYPE_CHECKING:
    from aws_cdk import Duration, Size
    from aws_cdk import aws_apigateway as apigateway
    from aws_cdk import aws_cloudwatch as cloudwatch
    from aws_cdk import aws_iam as iam
    from aws_cdk import aws_lambda as lambda_
    from constructs import Construct, IConstruct
    from typing_extensions import Unpack

    from ._cdk.parameter_types import Function
    from .front_door.front_door import FrontDoor
    from .front_door.job_results import JobResults
    from .monitoring.alarm_target import AlarmTarget
    from .throttled_api.options import FrontDoorOptions

_ARGUMENTS = {
    "function": FUNCTION,
    "source": instance_of(InvocationSource, "an InvocationSource, such as InvocationSource.sqs(queue)"),
}


class DecoupledInvocation(Buffer):
    """Invoke a function through a source that buffers, at the concurrency that the function's share grants.

    Parameters
    ----------
    scope, id
        The parent construct, and the id of this one within it.
    function
        The function to invoke. It has a share (`VpcDatabaseFunction`, `PublicSslDatabaseFunction`,
        `share.limit(function)`) or a reserved concurrency.
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
    failures_queue : sqs.IQueue or None
        What failures pass on their way to the dead-letter queue, within seconds; None without a front door.
    dead_letter_alarm : cloudwatch.Alarm or None
        Goes off while there is a message in the dead-letter queue, if the queue is its own; it has no action yet.
    failure_bucket : s3.IBucket or None
        Where the records of a stream end that failed; None with `on_failure`, and for queues.

    Raises
    ------
    BreakwaterError
        When nothing limits the function, when its share is fixed below what the source needs, when an existing queue
        breaks a rule, or when a source is of another Region. At synth: when another mapping has the function read the
        same source.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        function: Function,
        source: InvocationSource | None = None,
    ) -> None:
        super().__init__(scope, id)
        require(self, {"function": function, "source": source}, _ARGUMENTS, needed=("function",))
        # jsii's Function is no IFunction in the eyes of a type checker.
        self.function = cast("lambda_.IFunction", function)
        show_with(self, self.function)
        concurrency = FunctionConcurrency.of(self.function)
        if concurrency is None:
            raise BreakwaterError(
                self,
                f"nothing limits {function.node.path}, so a burst reaches it at its full size.",
                "Use VpcDatabaseFunction, take a share with ConnectionBudget.of(database).share(…).limit(function), "
                "or give the function reserved_concurrent_executions.",
            )
        self.concurrency = concurrency
        self._source = source or InvocationSource.sqs()
        self.binding = self._source.bind(self)
        validate_at_synth(self, partial(second_mapping_errors, self))

    def redrive(self) -> str:
        """Return the command that tries again what failed for good, once its cause is fixed.

        Messages go from the dead-letter queue back to the queue; failed records of a stream, from the bucket to the
        function.
        """
        from .sources.streams import StreamSource

        # What a stream's mapping gave up is found by way of the mapping, which may stand in the function's stack.
        at: IConstruct = self
        if isinstance(self._source, StreamSource) and self.event_source_mapping.node.scope is not self:
            at = self.event_source_mapping
        return f"breakwater redrive {Stack.of(at).stack_name} --construct {at.node.path}"

    def alarms(self, topic_or_action: AlarmTarget | None = None) -> list[cloudwatch.Alarm]:
        """Add alarms, once and after `add_front_door`.

        Of a queue: too little work done for its share; a backlog that will be too old before it is drained; dead
        letters; failures that do not reach the dead-letter queue. Of a stream: records half as old as they may become;
        records that failed for good; records lost (the mapping reports counts for these alarms). Of both: errors of the
        function, unless it has that alarm, and of the function that notes a front door's failures.

        Parameters
        ----------
        topic_or_action
            The action of each alarm. Default: none; the alarms show in the console.
        """
        from .sources.alarms import source_alarms

        return source_alarms(self, topic_or_action)

    def widgets(self) -> list[cloudwatch.IWidget]:
        """Return widgets: a queue's depth, dead letters, age and drain time; a stream's iterator age and failures."""
        from .sources.alarms import source_widgets

        return source_widgets(self)

    def add_front_door(
        self,
        id: str,
        *,
        path: str,
        request_schema: apigateway.JsonSchema | None = None,
        max_body: Size | None = None,
        order_by: str | None = None,
        partition_key: str | None = None,
        result_ttl: Duration | None = None,
        retry_after: Duration | None = None,
        rate_limit: float | None = None,
        burst_limit: int | None = None,
        results_concurrency: int = 5,
        **options: Unpack[FrontDoorOptions],
    ) -> FrontDoor:
        """Put an HTTP endpoint before the source, with no function in between.

        `POST` answers 202 with an id and the location of the result; a header `Idempotency-Key` makes a repeated one
        the same job. `GET` on the location answers 202 while the job waits, 200 with what the function returned, 303
        for an answer above DynamoDB's item limit, 500 once it failed for good, 410 when the answer has expired, and 404
        for what is no job of the caller's. docs/front_door.md says by which evidence. The function must be made with
        `breakwater_runtime.batch`, which keeps the answers.

        Parameters
        ----------
        id
            Its id within the invocation.
        path
            From the API's root, such as `orders` or `shop/orders`, without parameters.
        request_schema
            What a body must look like; another gets 400 and is never sent. Default: any JSON.
        max_body
            Largest body, in bytes; what is larger gets 413. At most 1 MiB, 390 KiB before a table. Default 256 KiB.
        order_by
            JSON path within the body, such as `$.customer`, whose equal values are done in order: the message group of
            a FIFO queue, the partition key of a stream. Default: in order per caller for a FIFO queue, no order for a
            stream.
        partition_key
            Name of the partition key of an imported table. Default: read from the table.
        result_ttl
            How long a result can be fetched, and a key is remembered: 60 s or more. Default 1 day.
        retry_after
            What callers are told to wait between two looks. Default 5 s.
        rate_limit, burst_limit
            POSTs per second, and at once. Default: what the source takes, 1,250 at most, half of what API Gateway
            grants an account in its smaller Regions; and half of the rate.
        results_concurrency
            Reserved concurrency of the function that hands out results. One look is reckoned with 100 ms: 5 let 22
            looks a second in, 20 let 139. Default 5.
        **options
            Every other option of `ThrottledApi`, such as `acknowledge_no_authorization`, `default_method_options` with
            an authorizer, or `rate_limit_per_address`. Default: callers sign their requests (IAM).

        Returns
        -------
        FrontDoor
            With `url`, `api` and `results`.

        Raises
        ------
        BreakwaterError
            When an option does not fit the source or is out of range, or the function is imported.
        """
        from aws_cdk import Duration, Size

        from .front_door.front_door import FrontDoor

        return FrontDoor(
            self,
            id,
            path=path,
            request_schema=request_schema,
            max_body=max_body or Size.kibibytes(256),
            order_by=order_by,
            partition_key=partition_key,
            result_ttl=result_ttl or Duration.days(1),
            retry_after=retry_after or Duration.seconds(5),
            rate_limit=rate_limit,
            burst_limit=burst_limit,
            results_concurrency=results_concurrency,
            options={**options},
        )

    def keep_results(self, *, result_ttl: Duration | None = None) -> JobResults:
        """Give the function the table that `breakwater_runtime.batch(…, idempotency=…)` needs; a front door does too.

        Parameters
        ----------
        result_ttl
            How long a key is remembered, 60 s or more. Default 1 day.

        Raises
        ------
        BreakwaterError
            When the function is imported, or has a table with another term already.
        """
        from aws_cdk import Duration

        from .front_door.job_results import JobResults

        return JobResults.of(self, self, self.function, result_ttl or Duration.days(1))

    def grant_send(self, grantee: iam.IGrantable) -> iam.Grant:
        """Allow sending to the source."""
        return self._source.grant_send(self, grantee)
