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
    """Invoke a function through a queue or stream, at the concurrency that the function's share grants.

    Parameters
    ----------
    scope, id
        The parent construct, and the id of this one within it.
    function
        The function to invoke. It needs a share (`VpcDatabaseFunction`, `PublicSslDatabaseFunction`,
        `share.limit(function)`) or reserved concurrency.
    source
        The queue or stream that the function reads. Default: `InvocationSource.sqs()`.

    Attributes
    ----------
    event_source_mapping : lambda_.EventSourceMapping
        The event source mapping between the source and the function.
    maximum_concurrency : int
        How many invocations the mapping runs at once. A lazy number.
    queue : sqs.IQueue
        The queue that the function reads, for `InvocationSource.sqs`.
    stream : kinesis.IStream
        The stream that the function reads, for `InvocationSource.kinesis`.
    table : dynamodb.ITable or ITableV2
        The table whose stream the function reads, for `InvocationSource.dynamodb_stream`.
    dead_letter_queue : sqs.IQueue or None
        The queue for messages that failed `max_receive_count` times. None for streams, and for an imported queue, whose
        dead-letter queue isn't known.
    failures_queue : sqs.IQueue or None
        A queue that failed messages pass through, within seconds, on their way to the dead-letter queue. None without a
        front door.
    dead_letter_alarm : cloudwatch.Alarm or None
        An alarm that is in ALARM state while there is a message in the dead-letter queue. It has no action yet. None if
        the queue isn't created here.
    failure_bucket : s3.IBucket or None
        The bucket for failed records of a stream. None with `on_failure`, and for queues.

    Raises
    ------
    BreakwaterError
        When nothing limits the function, when its share is fixed below what the source needs, when an existing queue
        breaks a rule, or when the source is in another Region. At synth: when another event source mapping makes the
        function read the same source.
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
                f"nothing limits {function.node.path}, so a burst would reach it in full.",
                "Use VpcDatabaseFunction, take a share with ConnectionBudget.of(database).share(…).limit(function), "
                "or give the function reserved_concurrent_executions.",
            )
        self.concurrency = concurrency
        self._source = source or InvocationSource.sqs()
        self.binding = self._source.bind(self)
        validate_at_synth(self, partial(second_mapping_errors, self))

    def redrive(self) -> str:
        """Return the command that retries failed messages or records, to run after you have fixed the cause.

        It moves messages from the dead-letter queue back to the queue. Failed records of a stream go from the bucket to
        the function.
        """
        from .sources.streams import StreamSource

        # What a stream's mapping gave up is found by way of the mapping, which may stand in the function's stack.
        at: IConstruct = self
        if isinstance(self._source, StreamSource) and self.event_source_mapping.node.scope is not self:
            at = self.event_source_mapping
        return f"breakwater redrive {Stack.of(at).stack_name} --construct {at.node.path}"

    def alarms(self, topic_or_action: AlarmTarget | None = None) -> list[cloudwatch.Alarm]:
        """Add alarms, once and after `add_front_door`.

        For a queue: too few messages processed for its share; a backlog that will be too old before it is drained;
        messages in the dead-letter queue; failures that don't reach the dead-letter queue. For a stream: records that
        have reached half of their maximum age; records that failed for good; records lost (the mapping reports counts
        for these alarms). For both: errors of the function, unless the function has that alarm already, and errors of
        the function that records a front door's failures.

        Parameters
        ----------
        topic_or_action
            The topic or the action of each alarm. Default: none. The alarms are then visible in the console only.
        """
        from .sources.alarms import source_alarms

        return source_alarms(self, topic_or_action)

    def widgets(self) -> list[cloudwatch.IWidget]:
        """Return dashboard widgets: a queue's depth, dead letters, age and drain time; a stream's age and failures."""
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
        """Add an HTTP endpoint in front of the source, with no function in between.

        `POST` answers 202 with an id and the location of the result. With the header `Idempotency-Key`, a repeated
        request is the same job. `GET` on the location answers 202 while the job waits, 200 with what the function
        returned, 303 for an answer above DynamoDB's item limit, 500 after the job failed for good, 410 after the answer
        has expired, and 404 if the caller has no such job. docs/front_door.md says what each answer is based on. The
        function's handler must use `breakwater_runtime.batch`, which stores the answers.

        Parameters
        ----------
        id
            The id of the front door within this construct.
        path
            Path from the API's root, such as `orders` or `shop/orders`, without parameters.
        request_schema
            JSON schema of the body. A request with another body gets 400 and is never sent. Default: any JSON.
        max_body
            Maximum size of the body, in bytes. A larger body gets 413. At most 1 MiB, and 390 KiB in front of a table.
            Default 256 KiB.
        order_by
            JSON path in the body, such as `$.customer`. Requests with equal values are processed in order: the value is
            the message group of a FIFO queue, or the partition key of a stream. Default: in order per caller for a FIFO
            queue, no order for a stream.
        partition_key
            Name of an imported table's partition key. Default: read from the table.
        result_ttl
            How long a result can be fetched and an idempotency key is remembered, 60 s or more. Default 1 day.
        retry_after
            How long callers are told to wait before they ask for the result again. Default 5 s.
        rate_limit, burst_limit
            POST requests per second, and at once. Default of the rate: what the source accepts, but at most 1,250,
            which is half of what API Gateway grants an account in its smaller Regions. Default of the burst: half of
            the rate.
        results_concurrency
            Reserved concurrency of the function that returns results. With an assumed 100 ms for each request, 5 allow
            22 requests per second, and 20 allow 139. Default 5.
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
            When an option doesn't fit the source or is out of range, or when the function is imported.
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
        """Create the table that `breakwater_runtime.batch(…, idempotency=…)` needs. A front door creates it as well.

        Parameters
        ----------
        result_ttl
            How long an idempotency key is remembered, 60 s or more. Default 1 day.

        Raises
        ------
        BreakwaterError
            When the function is imported, or already has a table with another `result_ttl`.
        """
        from aws_cdk import Duration

        from .front_door.job_results import JobResults

        return JobResults.of(self, self, self.function, result_ttl or Duration.days(1))

    def grant_send(self, grantee: iam.IGrantable) -> iam.Grant:
        """Allow sending to the source."""
        return self._source.grant_send(self, grantee)
