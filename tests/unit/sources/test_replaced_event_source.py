"""A mapping that exists: taken over with its logical id, or refused beside ours, whichever comes first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as event_sources
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Annotations, Match, Template

from cdk_breakwater import BreakwaterError, ConnectionBudget, DecoupledInvocation, InvocationSource

LATEST = lambda_.StartingPosition.LATEST


class Existing:
    """An app with a function and what it reads from."""

    def __init__(self, code: dict[str, Any]) -> None:
        self.stack = cdk.Stack(cdk.App(), "Shop", env=cdk.Environment(account="123456789012", region="eu-central-1"))
        self.worker = lambda_.Function(self.stack, "Worker", timeout=cdk.Duration.seconds(30), **code)
        self.share = ConnectionBudget(self.stack, "Budget", max_connections=20).share("worker")
        self.share.limit(self.worker, overlap=False)
        dead = sqs.Queue(self.stack, "Dead", retention_period=cdk.Duration.days(14))
        self.queue = sqs.Queue(
            self.stack,
            "Queue",
            visibility_timeout=cdk.Duration.minutes(3),
            dead_letter_queue=sqs.DeadLetterQueue(queue=dead, max_receive_count=5),
        )
        self.stream = kinesis.Stream(self.stack, "Stream", shard_count=2)
        self.consumer = kinesis.StreamConsumer(
            self.stack, "Consumer", stream=self.stream, stream_consumer_name="worker"
        )
        self.table = dynamodb.Table(
            self.stack,
            "Table",
            partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
            stream=dynamodb.StreamViewType.NEW_IMAGE,
        )

    def mappings(self) -> dict[str, dict[str, Any]]:
        found = Template.from_stack(self.stack).find_resources("AWS::Lambda::EventSourceMapping")
        return {logical_id: mapping["Properties"] for logical_id, mapping in found.items()}


KINDS = ["queue", "stream", "consumer", "table"]


def old_source(app: Existing, kind: str) -> Any:
    if kind == "queue":
        return event_sources.SqsEventSource(app.queue, batch_size=1)
    if kind == "stream":
        return event_sources.KinesisEventSource(app.stream, starting_position=LATEST, batch_size=1)
    if kind == "consumer":
        return event_sources.KinesisConsumerEventSource(app.consumer, starting_position=LATEST, batch_size=1)
    return event_sources.DynamoEventSource(app.table, starting_position=LATEST, batch_size=1)


def new_source(app: Existing, kind: str, **options: Any) -> InvocationSource:
    if kind == "queue":
        options.pop("starting_position", None)
        return InvocationSource.sqs(app.queue, **options)
    if kind == "stream":
        return InvocationSource.kinesis(app.stream, **options)
    if kind == "consumer":
        return InvocationSource.kinesis(consumer=app.consumer, **options)
    return InvocationSource.dynamodb_stream(app.table, **options)


@pytest.mark.parametrize("kind", KINDS)
def test_the_mapping_keeps_its_id_where_it_begins_and_its_batch(code: dict[str, Any], kind: str) -> None:
    before, after = Existing(code), Existing(code)
    before.worker.add_event_source(old_source(before, kind))
    source = new_source(after, kind, replaces_event_source=True, starting_position=LATEST, batch_size=1)
    jobs = DecoupledInvocation(after.stack, "Jobs", function=after.worker, source=source)
    ((old_id, old),), ((new_id, new),) = before.mappings().items(), after.mappings().items()
    assert new_id == old_id
    # What CloudFormation makes a new mapping for. Source: AWS CloudFormation Template Reference,
    # AWS::Lambda::EventSourceMapping, "Update requires".
    for name in ("EventSourceArn", "StartingPosition", "StartingPositionTimestamp", "SelfManagedEventSource"):
        assert new.get(name) == old.get(name)
    assert (old["BatchSize"], new["BatchSize"]) == (1, 1)
    assert jobs.event_source_mapping.node.path in jobs.redrive() or kind == "queue"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("first", [True, False], ids=["add_event_source first", "add_event_source last"])
def test_two_mappings_of_one_pair_are_refused(code: dict[str, Any], kind: str, first: bool) -> None:
    app = Existing(code)
    if first:
        app.worker.add_event_source(old_source(app, kind))
    DecoupledInvocation(app.stack, "Jobs", function=app.worker, source=new_source(app, kind, starting_position=LATEST))
    if not first:
        app.worker.add_event_source(old_source(app, kind))
    with pytest.raises(
        RuntimeError, match=r"Shop/Jobs.*EventSource.* refuses a second mapping of the same function.*replaces_"
    ):
        app.mappings()


@pytest.mark.parametrize("name", ["function_name", "function_arn"])
def test_a_mapping_of_l1_names_the_function_either_way(code: dict[str, Any], name: str) -> None:
    app = Existing(code)
    DecoupledInvocation(app.stack, "Jobs", function=app.worker, source=InvocationSource.sqs(app.queue))
    lambda_.CfnEventSourceMapping(
        app.stack, "Theirs", function_name=getattr(app.worker, name), event_source_arn=app.queue.queue_arn
    )
    with pytest.raises(RuntimeError, match=r"Shop/Theirs .* refuses a second mapping"):
        app.mappings()


def test_two_invocations_of_one_pair_are_refused(code: dict[str, Any]) -> None:
    app = Existing(code)
    for name in ("Jobs", "Again"):
        DecoupledInvocation(app.stack, name, function=app.worker, source=InvocationSource.sqs(app.queue))
    with pytest.raises(RuntimeError, match="refuses a second mapping"):
        app.mappings()


def test_an_imported_queue_under_two_names_is_one_queue(code: dict[str, Any]) -> None:
    app = Existing(code)
    for name in ("Jobs", "Again"):
        queue = sqs.Queue.from_queue_arn(app.stack, f"{name}Queue", "arn:aws:sqs:eu-central-1:123456789012:theirs")
        DecoupledInvocation(app.stack, name, function=app.worker, source=InvocationSource.sqs(queue))
    with pytest.raises(RuntimeError, match="refuses a second mapping"):
        app.mappings()


def test_another_function_may_read_the_same_stream(code: dict[str, Any]) -> None:
    app = Existing(code)
    other = lambda_.Function(app.stack, "Other", reserved_concurrent_executions=4, **code)
    for name, function in (("One", app.worker), ("Two", other)):
        source = InvocationSource.kinesis(app.stream, starting_position=LATEST)
        DecoupledInvocation(app.stack, name, function=function, source=source)
    assert len(app.mappings()) == 2


def test_equal_stacks_read_queues_of_their_own(app: cdk.App, code: dict[str, Any]) -> None:
    for name in ("Test", "Production"):
        stack = cdk.Stack(app, name)
        function = lambda_.Function(stack, "Worker", reserved_concurrent_executions=4, **code)
        DecoupledInvocation(stack, "Jobs", function=function)
    app.synth()


def test_both_at_once_are_told_apart(code: dict[str, Any]) -> None:
    app = Existing(code)
    app.worker.add_event_source(old_source(app, "queue"))
    source = InvocationSource.sqs(app.queue, replaces_event_source=True)
    with pytest.raises(BreakwaterError, match=r"Shop/Jobs: it replaces Shop/Worker/SqsEventSource.*Remove the call"):
        DecoupledInvocation(app.stack, "Jobs", function=app.worker, source=source)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("stream", {}, r"starting_position and batch_size of what it replaces is not given"),
        ("table", {"batch_size": 1}, r"starting_position of what it replaces"),
        ("consumer", {"starting_position": LATEST}, r"batch_size of what it replaces"),
    ],
)
def test_what_it_had_is_asked_for(code: dict[str, Any], kind: str, options: dict[str, Any], message: str) -> None:
    app = Existing(code)
    source = new_source(app, kind, replaces_event_source=True, **options)
    with pytest.raises(BreakwaterError, match=f"Shop/Jobs: .*{message}"):
        DecoupledInvocation(app.stack, "Jobs", function=app.worker, source=source)


@pytest.mark.parametrize(
    "source",
    [
        lambda: InvocationSource.sqs(replaces_event_source=True),
        lambda: InvocationSource.kinesis(shard_count=2, replaces_event_source=True),
    ],
)
def test_nothing_can_be_replaced_before_a_source_that_is_new(
    code: dict[str, Any], source: Callable[[], InvocationSource]
) -> None:
    app = Existing(code)
    with pytest.raises(BreakwaterError, match="replaces_event_source"):
        DecoupledInvocation(app.stack, "Jobs", function=app.worker, source=source())


@pytest.mark.parametrize("kind", ["stream", "consumer", "table"])
def test_where_a_new_mapping_begins_is_asked(code: dict[str, Any], kind: str) -> None:
    told: dict[str, Any] = {"starting_position": lambda_.StartingPosition.TRIM_HORIZON}
    for asked in (True, False):
        app = Existing(code)
        DecoupledInvocation(
            app.stack, "Jobs", function=app.worker, source=new_source(app, kind, **({} if asked else told))
        )
        annotations = Annotations.from_stack(app.stack)
        expected = Match.string_like_regexp("begins at TRIM_HORIZON, so the function processes everything")
        (annotations.has_warning if asked else annotations.has_no_warning)("/Shop/Jobs", expected)


def test_a_queue_without_a_maximum_concurrency_beside_a_share(code: dict[str, Any]) -> None:
    app = Existing(code)
    app.worker.add_event_source(event_sources.SqsEventSource(app.queue))
    app.worker.add_event_source(old_source(app, "stream"))  # what is refused there comes again
    theirs = sqs.Queue.from_queue_arn(app.stack, "Theirs", "arn:aws:sqs:eu-central-1:123456789012:theirs")
    app.worker.current_version.add_alias("live").add_event_source(event_sources.SqsEventSource(theirs))
    plain = lambda_.Function(app.stack, "Plain", **code)
    plain.add_event_source(event_sources.SqsEventSource(app.queue))
    warnings = Annotations.from_stack(app.stack).find_warning("*", Match.string_like_regexp("no MaximumConcurrency"))
    assert len(warnings) == 2
    assert all("the share of worker" in str(warning.entry.data) for warning in warnings)


def test_with_one_it_is_not_spoken_of(code: dict[str, Any]) -> None:
    app = Existing(code)
    app.worker.add_event_source(event_sources.SqsEventSource(app.queue, max_concurrency=app.share.concurrency))
    DecoupledInvocation(app.stack, "Jobs", function=app.worker)
    Annotations.from_stack(app.stack).has_no_warning("*", Match.string_like_regexp("no MaximumConcurrency"))


class TestForeignSources:
    @pytest.mark.parametrize(
        ("kind", "policy"),
        [
            ("sqs", "the queue's policy: allow sqs:ReceiveMessage, sqs:DeleteMessage"),
            ("kinesis", "the stream's resource policy: allow kinesis:DescribeStream"),
            ("dynamodb", "a policy on the table's stream: allow dynamodb:DescribeStream"),
        ],
    )
    def test_another_accounts_policy_is_named(self, code: dict[str, Any], kind: str, policy: str) -> None:
        app = Existing(code)
        arn = f"arn:aws:{kind}:eu-central-1:999999999999"
        if kind == "sqs":
            source = InvocationSource.sqs(sqs.Queue.from_queue_arn(app.stack, "Theirs", f"{arn}:theirs"))
        elif kind == "kinesis":
            stream = kinesis.Stream.from_stream_arn(app.stack, "Theirs", f"{arn}:stream/theirs")
            source = InvocationSource.kinesis(stream, starting_position=LATEST)
        else:
            table = dynamodb.Table.from_table_attributes(
                app.stack, "Theirs", table_arn=f"{arn}:table/theirs", table_stream_arn=f"{arn}:table/theirs/stream/2026"
            )
            source = InvocationSource.dynamodb_stream(table, starting_position=LATEST)
        DecoupledInvocation(app.stack, "Jobs", function=app.worker, source=source)
        Annotations.from_stack(app.stack).has_warning(
            "/Shop/Jobs", Match.string_like_regexp(f"of account 999999999999, which must set {policy}.*Shop/Worker")
        )

    def test_another_regions_queue_is_refused(self, code: dict[str, Any]) -> None:
        app = Existing(code)
        queue = sqs.Queue.from_queue_arn(app.stack, "Theirs", "arn:aws:sqs:us-east-1:123456789012:theirs")
        with pytest.raises(BreakwaterError, match=r"Shop/Theirs is in us-east-1 and Shop/Worker in eu-central-1"):
            DecoupledInvocation(app.stack, "Jobs", function=app.worker, source=InvocationSource.sqs(queue))
