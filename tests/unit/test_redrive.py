"""`breakwater redrive`: what failed for good goes back where it came from, and nothing of it is lost on the way.

The services answer by botocore's Stubber, which holds every request against the service's own model: the emulator of
the end-to-end tests has no StartMessageMoveTask.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import aws_cdk as cdk
import boto3
import pytest
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Template
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber
from rich.console import Console

from cdk_breakwater import BreakwaterError, DecoupledInvocation, InvocationSource
from cdk_breakwater.failed_records import FailedRecords
from cdk_breakwater.redrive import DeadLetters, Redrivable, find_failures, redrive_table

REGION = "eu-central-1"
QUEUES = f"https://sqs.{REGION}.amazonaws.com/123456789012"
ARN = f"arn:aws:sqs:{REGION}:123456789012"
FUNCTION = f"arn:aws:lambda:{REGION}:123456789012:function:Counter"
UUID = "14b0db2e-0d32-4a7c-8f0f-7d2f6f7e1c11"
MAPPING = "AWS::Lambda::EventSourceMapping"
STACK_ID = f"arn:aws:cloudformation:{REGION}:123456789012:stack/Nested/1"


class Account:
    """Clients whose answers a test lays out beforehand."""

    def __init__(self) -> None:
        self.stubs: dict[str, Stubber] = {}

    def __call__(self, service: str) -> Any:
        return self.stub(service).client

    def stub(self, service: Any) -> Stubber:
        if service not in self.stubs:
            client = boto3.client(service, region_name=REGION, aws_access_key_id="none", aws_secret_access_key="none")
            self.stubs[service] = Stubber(client)
            self.stubs[service].activate()
        return self.stubs[service]

    def stack(self, name: str, resources: dict[str, tuple[str, str, str]]) -> None:
        """Describe a stack: type, physical id and path by logical id."""
        body = {
            "Resources": {
                logical: {"Type": type_, "Metadata": {"aws:cdk:path": f"{path}/Resource"}}
                for logical, (type_, _, path) in resources.items()
            }
        }
        answer = {"TemplateBody": json.dumps(body)}
        self.stub("cloudformation").add_response("get_template", answer, {"StackName": name})
        now = datetime.now(timezone.utc)
        summaries = [
            {
                "LogicalResourceId": logical,
                "PhysicalResourceId": physical,
                "ResourceType": type_,
                "LastUpdatedTimestamp": now,
                "ResourceStatus": "CREATE_COMPLETE",
            }
            for logical, (type_, physical, _) in resources.items()
        ]
        self.stub("cloudformation").add_response(
            "list_stack_resources", {"StackResourceSummaries": summaries}, {"StackName": name}
        )

    def queue(self, name: str, *, waiting: int = 0, dead_letters: str | None = None) -> None:
        attributes = {"QueueArn": f"{ARN}:{name}", "ApproximateNumberOfMessages": str(waiting)}
        if dead_letters:
            attributes["RedrivePolicy"] = json.dumps({"deadLetterTargetArn": f"{ARN}:{dead_letters}"})
        self.stub("sqs").add_response(
            "get_queue_attributes", {"Attributes": attributes}, {"QueueUrl": f"{QUEUES}/{name}", "AttributeNames": ANY}
        )

    def tasks(self, name: str, *tasks: dict[str, Any]) -> None:
        self.stub("sqs").add_response(
            "list_message_move_tasks", {"Results": list(tasks)}, {"SourceArn": f"{ARN}:{name}"}
        )

    def object(self, key: str, payload: Any) -> None:
        body = json.dumps({"payload": payload}).encode()
        answer = {"Body": StreamingBody(io.BytesIO(body), len(body))}
        self.stub("s3").add_response("get_object", answer, {"Bucket": "kept", "Key": key})

    def invocation(self, records: list[dict[str, Any]], answer: Any, *, error: bool = False) -> None:
        payload = json.dumps(answer).encode()
        self.stub("lambda").add_response(
            "invoke",
            {"Payload": StreamingBody(io.BytesIO(payload), len(payload))} | ({"FunctionError": "E"} if error else {}),
            {"FunctionName": FUNCTION, "Payload": json.dumps({"Records": records}).encode()},
        )


@pytest.fixture
def account() -> Iterator[Account]:
    account = Account()
    yield account
    for stub in account.stubs.values():
        stub.assert_no_pending_responses()


def queue(name: str, path: str) -> tuple[str, str, str]:
    return "AWS::SQS::Queue", f"{QUEUES}/{name}", path


def describe_shop(account: Account, *tasks: dict[str, Any]) -> None:
    account.stack(
        "Shop", {"Dead": queue("dead", "Shop/Jobs/DeadLetterQueue"), "Main": queue("main", "Shop/Jobs/Queue")}
    )
    account.queue("dead", waiting=7)
    account.queue("main", dead_letters="dead")
    account.tasks("dead", *tasks)


class TestQueues:
    def test_a_move_is_started_by_sqs_itself(self, account: Account) -> None:
        describe_shop(account)
        (found,) = find_failures("Shop", account)
        assert (found.construct, found.waiting, found.state) == ("Shop/Jobs/DeadLetterQueue", 7, "")
        assert (found.kept_in, found.goes_to) == ("dead", "main")
        account.stub("sqs").add_response(
            "start_message_move_task",
            {"TaskHandle": "handle"},
            {"SourceArn": f"{ARN}:dead", "DestinationArn": f"{ARN}:main"},
        )
        assert found.redrive(account) == "move started"

    def test_one_that_runs_is_left_to_run(self, account: Account) -> None:
        describe_shop(
            account,
            {"Status": "RUNNING", "ApproximateNumberOfMessagesMoved": 3, "ApproximateNumberOfMessagesToMove": 1000},
        )
        (found,) = find_failures("Shop", account)
        assert found.redrive(account) == "moving: 3 of 1,000"  # a request would fail: none is laid out

    @pytest.mark.parametrize(
        ("task", "state"),
        [
            ({"Status": "COMPLETED", "ApproximateNumberOfMessagesMoved": 40}, "last move completed: 40"),
            ({"Status": "FAILED", "FailureReason": "AccessDenied"}, "last move failed: AccessDenied"),
        ],
    )
    def test_what_became_of_the_last_one(self, account: Account, task: dict[str, Any], state: str) -> None:
        describe_shop(account, task)
        (found,) = find_failures("Shop", account)
        assert found.state == state

    def test_of_several_sources_sqs_knows_each_messages_own(self, account: Account) -> None:
        names = ("dead", "one", "two")
        account.stack("Shop", {name: queue(name, f"Shop/{name}") for name in names})
        account.queue("dead", waiting=1)
        account.queue("one", dead_letters="dead")
        account.queue("two", dead_letters="dead")
        account.tasks("dead")
        (found,) = find_failures("Shop", account)
        account.stub("sqs").add_response(
            "start_message_move_task", {"TaskHandle": "handle"}, {"SourceArn": f"{ARN}:dead"}
        )
        assert found.redrive(account) == "move started"
        assert found.goes_to == "the queues they came from"

    def test_a_queue_that_messages_pass_on_the_way_is_no_end_of_theirs(self, account: Account) -> None:
        account.stack("Shop", {name: queue(name, f"Shop/{name}") for name in ("dead", "passed", "main")})
        account.queue("dead", waiting=1)
        account.queue("passed", dead_letters="dead")
        account.queue("main", dead_letters="passed")
        account.tasks("dead")
        (found,) = find_failures("Shop", account)
        assert (found.construct, found.goes_to) == ("Shop/dead", "main")

    def test_nested_stacks_belong_to_it(self, account: Account) -> None:
        account.stack("Shop", {"Nested": ("AWS::CloudFormation::Stack", STACK_ID, "Shop/Nested")})
        account.stack(STACK_ID, {"D": queue("dead", "Shop/Nested/Dead"), "Q": queue("main", "Shop/Nested/Queue")})
        account.queue("dead")
        account.queue("main", dead_letters="dead")
        account.tasks("dead")
        (found,) = find_failures("Shop", account)
        assert found.construct == "Shop/Nested/Dead"

    @pytest.mark.parametrize(
        ("construct", "there"),
        [("Shop/Jobs", True), ("Shop/Jobs/DeadLetterQueue", True), ("Shop/Job", False), ("Shop/Other", False)],
    )
    def test_one_construct(self, account: Account, construct: str, there: bool) -> None:
        account.stack("Shop", {"D": queue("dead", "Shop/Jobs/DeadLetterQueue"), "Q": queue("main", "Shop/Jobs/Queue")})
        account.queue("dead")
        account.queue("main", dead_letters="dead")
        if there:
            account.tasks("dead")
            assert find_failures("Shop", account, construct)
        else:
            with pytest.raises(BreakwaterError, match=f"Shop, beneath {construct}: there is no dead-letter queue"):
                find_failures("Shop", account, construct)

    def test_a_stack_without_any(self, account: Account) -> None:
        account.stack("Shop", {"Main": queue("main", "Shop/Main")})
        account.queue("main")
        with pytest.raises(BreakwaterError, match=r"Shop: there is no dead-letter queue.*DecoupledInvocation"):
            find_failures("Shop", account)


def record(number: int, kind: str = "kinesis") -> dict[str, Any]:
    if kind == "kinesis":
        return {"eventSource": "aws:kinesis", "kinesis": {"sequenceNumber": str(number), "data": "YQ=="}}
    return {"eventSource": "aws:dynamodb", "dynamodb": {"SequenceNumber": str(number)}}


def failure(number: int) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": str(number)}]}


FINE: dict[str, Any] = {"batchItemFailures": []}


def kept(*keys: str) -> FailedRecords:
    return FailedRecords("Shop/Clicks/Mapping", "kept", keys, FUNCTION)


class TestStreams:
    def test_they_are_found_by_way_of_the_mapping(self, account: Account) -> None:
        account.stack("Shop", {"Mapping": (MAPPING, UUID, "Shop/Clicks/Mapping")})
        account.stub("lambda").add_response(
            "get_event_source_mapping",
            {"FunctionArn": FUNCTION, "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:s3:::kept"}}},
            {"UUID": UUID},
        )
        contents = [
            {"Key": f"aws/lambda/{UUID}/{name}", "LastModified": datetime(2026, 11, day, tzinfo=timezone.utc)}
            for name, day in (("new", 20), ("old", 2))
        ]
        account.stub("s3").add_response(
            "list_objects_v2", {"Contents": contents}, {"Bucket": "kept", "Prefix": f"aws/lambda/{UUID}/"}
        )
        (found,) = find_failures("Shop", account)
        assert isinstance(found, FailedRecords)
        assert found.keys == (f"aws/lambda/{UUID}/old", f"aws/lambda/{UUID}/new")
        assert (found.waiting, found.kept_in, found.goes_to, found.state) == (2, "kept", "Counter", "")

    @pytest.mark.parametrize("destination", [None, f"{ARN}:pointers"])
    def test_pointers_are_not_records(self, account: Account, destination: str | None) -> None:
        account.stack("Shop", {"Mapping": (MAPPING, UUID, "Shop/Clicks/Mapping")})
        config = {"DestinationConfig": {"OnFailure": {"Destination": destination}}} if destination else {}
        account.stub("lambda").add_response(
            "get_event_source_mapping", {"FunctionArn": FUNCTION, **config}, {"UUID": UUID}
        )
        with pytest.raises(BreakwaterError, match="no bucket of failed records"):
            find_failures("Shop", account)

    @pytest.mark.parametrize("kind", ["kinesis", "dynamodb"])
    @pytest.mark.parametrize("as_text", [True, False])
    def test_a_batch_that_succeeds_is_deleted(self, account: Account, kind: str, as_text: bool) -> None:
        records = [record(number, kind) for number in (1, 2)]
        event = {"Records": records}
        account.object("a", json.dumps(event) if as_text else event)
        account.invocation(records, None)
        account.stub("s3").add_response("delete_object", {}, {"Bucket": "kept", "Key": "a"})
        assert kept("a").redrive(account) == "2 done"

    def test_behind_a_failure_all_are_given_again_and_it_alone_stays(self, account: Account) -> None:
        records = [record(number) for number in range(5)]
        account.object("a", {"Records": records})
        account.invocation(records, failure(1))
        account.invocation(records[2:], failure(3))
        account.invocation(records[4:], FINE)
        account.stub("s3").add_response(
            "put_object",
            {},
            {
                "Bucket": "kept",
                "Key": "a",
                "Body": json.dumps({"payload": json.dumps({"Records": [records[1], records[3]]})}).encode(),
            },
        )
        assert kept("a").redrive(account) == "3 done, 2 failed again"

    def test_a_batch_that_fails_whole_is_halved_until_the_bad_one_is_alone(self, account: Account) -> None:
        records = [record(number) for number in range(4)]
        account.object("a", {"Records": records})
        account.invocation(records, {}, error=True)
        account.invocation(records[:2], FINE)
        account.invocation(records[2:], {}, error=True)
        account.invocation(records[2:3], FINE)
        account.invocation(records[3:], {}, error=True)
        account.stub("s3").add_response("put_object", {}, {"Bucket": "kept", "Key": "a", "Body": ANY})
        assert kept("a").redrive(account) == "3 done, 1 failed again"

    @pytest.mark.parametrize("identifier", [{}, {"itemIdentifier": ""}, {"itemIdentifier": None}])
    def test_an_answer_that_lambda_takes_for_a_failure_deletes_nothing(
        self, account: Account, identifier: dict[str, Any]
    ) -> None:
        account.object("a", {"Records": [record(1)]})
        account.invocation([record(1)], {"batchItemFailures": [identifier]})
        assert kept("a").redrive(account) == "0 done, 1 failed again"

    def test_one_object_after_the_other(self, account: Account) -> None:
        for key, number in (("a", 1), ("b", 2)):
            account.object(key, {"Records": [record(number)]})
            account.invocation([record(number)], FINE if key == "b" else failure(number))
        account.stub("s3").add_response("delete_object", {}, {"Bucket": "kept", "Key": "b"})
        assert kept("a", "b").redrive(account) == "1 done, 1 failed again"

    def test_a_throttled_function_is_waited_for(self, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("cdk_breakwater.failed_records._PAUSE_SECONDS", 0)
        account.object("a", {"Records": [record(1)]})
        for _ in range(3):
            account.stub("lambda").add_client_error("invoke", "TooManyRequestsException", http_status_code=429)
        account.invocation([record(1)], FINE)
        account.stub("s3").add_response("delete_object", {}, {"Bucket": "kept", "Key": "a"})
        assert kept("a").redrive(account) == "1 done"

    def test_but_not_for_good(self, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("cdk_breakwater.failed_records._PATIENCE_SECONDS", -1)
        account.object("a", {"Records": [record(1)]})
        account.stub("lambda").add_client_error("invoke", "TooManyRequestsException", http_status_code=429)
        with pytest.raises(BreakwaterError, match=r"it is throttled for -1 s.*reserved concurrency is 0"):
            kept("a").redrive(account)


def test_the_table() -> None:
    found: list[Redrivable] = [DeadLetters("Shop/Dead", f"{ARN}:dead", None, 1234, "moving: 1 of 2"), kept("a")]
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(redrive_table(found))
    console.print(redrive_table(found, ["move started", "1 done"]))
    text = console.export_text()
    for word in ("Shop/Clicks/Mapping", "1,234", "moving: 1 of 2", "Counter", "move started", "1 done"):
        assert word in text


@pytest.mark.parametrize("other", [False, True])
@pytest.mark.parametrize("source", [InvocationSource.sqs(), InvocationSource.kinesis(shard_count=2)])
def test_the_construct_names_its_command(
    app: cdk.App, stack: cdk.Stack, code: dict[str, Any], source: InvocationSource, other: bool
) -> None:
    function = lambda_.Function(stack, "Worker", reserved_concurrent_executions=5, **code)
    scope = cdk.Stack(app, "Other", env=cdk.Environment(account="123456789012", region=REGION)) if other else stack
    jobs = DecoupledInvocation(scope, "Jobs", function=function, source=source)
    _, _, named, _, construct = jobs.redrive().split()
    # What it names must be in the stack that it names: the dead-letter queue, or the mapping.
    found = {stack.stack_name: stack, "Other": scope}[named]
    kept_by: Any = jobs.dead_letter_queue or jobs.event_source_mapping
    assert kept_by.node.path.startswith(construct)
    assert cdk.Stack.of(kept_by) is found
    type_ = "AWS::SQS::Queue" if jobs.dead_letter_queue else MAPPING
    assert Template.from_stack(found).find_resources(type_)
