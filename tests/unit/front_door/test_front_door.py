"""What a front door makes of each source."""

from __future__ import annotations

import json
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Annotations, Match, Template
from aws_cdk.aws_lambda_event_sources import SqsDlq

from breakwater_runtime import results
from cdk_breakwater import ApiProtocol, BreakwaterError, DecoupledInvocation, InvocationSource
from cdk_breakwater import runtime_environment as environment
from cdk_breakwater.front_door_results import JobResults

NOBODY = {"acknowledge_no_authorization": "a public catalogue"}


@pytest.fixture
def function(stack: cdk.Stack, code: dict[str, Any]) -> lambda_.Function:
    return lambda_.Function(stack, "Worker", reserved_concurrent_executions=10, **code)


def table(stack: cdk.Stack, **options: Any) -> dynamodb.TableV2:
    key = dynamodb.Attribute(name="order_id", type=dynamodb.AttributeType.STRING)
    return dynamodb.TableV2(stack, "Orders", **{"partition_key": key, **options})


def source(kind: str, stack: cdk.Stack) -> InvocationSource:
    return {
        "sqs": InvocationSource.sqs,
        "fifo": lambda: InvocationSource.sqs(fifo=True),
        "kinesis": lambda: InvocationSource.kinesis(shard_count=1),
        "dynamodb": lambda: InvocationSource.dynamodb_stream(table(stack)),
    }[kind]()


def open_door(stack: cdk.Stack, function: lambda_.Function, kind: str = "sqs", **options: Any) -> DecoupledInvocation:
    jobs = DecoupledInvocation(stack, "Jobs", function=function, source=source(kind, stack))
    jobs.add_front_door("Door", **{"path": "orders", **options})
    return jobs


def own_queue(stack: cdk.Stack, policy: sqs.RedriveAllowPolicy | None = None) -> InvocationSource:
    dead = sqs.Queue(stack, "Dead", retention_period=cdk.Duration.days(14), redrive_allow_policy=policy)
    redrive = sqs.DeadLetterQueue(queue=dead, max_receive_count=5)
    minute = cdk.Duration.minutes(1)
    return InvocationSource.sqs(sqs.Queue(stack, "Mine", visibility_timeout=minute, dead_letter_queue=redrive))


def text(value: Any) -> str:
    return json.dumps(value).replace('\\"', '"')


def method(template: Template, verb: str) -> dict[str, Any]:
    (found,) = template.find_resources("AWS::ApiGateway::Method", {"Properties": {"HttpMethod": verb}}).values()
    return found["Properties"]


def policies(template: Template, role: str) -> list[tuple[Any, Any]]:
    """Return action and resource of every statement of the roles whose logical id starts so."""
    return [
        (statement["Action"], statement["Resource"])
        for policy in template.find_resources("AWS::IAM::Policy").values()
        if policy["Properties"]["Roles"][0]["Ref"].startswith(role)
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
    ]


@pytest.mark.parametrize(
    ("kind", "uri", "action", "rate"),
    [
        ("sqs", ":sqs:path/123456789012/", "sqs:SendMessage", 1250),
        ("fifo", ":sqs:path/123456789012/", "sqs:SendMessage", 300),
        ("kinesis", ":kinesis:action/PutRecord", "kinesis:PutRecord", 1000),
        ("dynamodb", ":dynamodb:action/PutItem", "dynamodb:PutItem", 1250),
    ],
)
def test_post_goes_straight_into_the_source_and_may_do_nothing_else(
    stack: cdk.Stack, function: lambda_.Function, kind: str, uri: str, action: str, rate: int
) -> None:
    open_door(stack, function, kind)
    template = Template.from_stack(stack)
    post = method(template, "POST")
    assert post["Integration"]["Type"] == "AWS"
    assert uri in text(post["Integration"]["Uri"])
    assert post["Integration"]["PassthroughBehavior"] == "NEVER"
    assert list(post["Integration"]["RequestTemplates"]) == ["application/json"]
    (granted,) = policies(template, "JobsDoorRole")
    assert granted[0] == action
    assert list(granted[1]) == ["Fn::GetAtt"], "one resource"
    stage = next(iter(template.find_resources("AWS::ApiGateway::Stage").values()))["Properties"]["MethodSettings"]
    limits = {(each["HttpMethod"], each["ResourcePath"]): each["ThrottlingRateLimit"] for each in stage}
    assert limits == {("*", "/*"): rate, ("POST", "/~1orders"): rate, ("GET", "/~1orders~1{id}"): 50}


def test_the_answers_by_what_the_source_says(stack: cdk.Stack, function: lambda_.Function) -> None:
    open_door(stack, function)
    responses = method(Template.from_stack(stack), "POST")["Integration"]["IntegrationResponses"]
    assert {each["StatusCode"]: each.get("SelectionPattern") for each in responses} == {
        "202": "2\\d{2}",
        "400": "400",
        "503": "5\\d{2}",
        "500": None,
    }


def test_a_body_is_any_json_or_what_the_schema_says(stack: cdk.Stack, function: lambda_.Function) -> None:
    open_door(stack, function)
    template = Template.from_stack(stack)
    post = method(template, "POST")
    assert "RequestValidatorId" in post
    assert list(post["RequestModels"]) == ["application/json"]
    (model,) = template.find_resources("AWS::ApiGateway::Model").values()
    assert set(model["Properties"]["Schema"]) <= {"$schema"}


def test_the_function_is_told_where_to_keep_answers(stack: cdk.Stack, function: lambda_.Function) -> None:
    open_door(stack, function, result_ttl=cdk.Duration.hours(2))
    template = Template.from_stack(stack)
    (worker,) = (
        resource["Properties"]
        for name, resource in template.find_resources("AWS::Lambda::Function").items()
        if name.startswith("Worker")
    )
    assert set(worker["Environment"]["Variables"]) == {results.TABLE, results.BUCKET, results.SECONDS}
    assert worker["Environment"]["Variables"][results.SECONDS] == "7200"
    assert {environment.variable(name) for name in ("RESULTS_TABLE", "RESULTS_BUCKET", "RESULTS_SECONDS")} == {
        environment.variable(environment.RESULTS_TABLE),
        environment.variable(environment.RESULTS_BUCKET),
        environment.variable(environment.RESULTS_SECONDS),
    }
    granted = policies(template, "WorkerServiceRole")
    assert [action for action, _ in granted if "dynamodb" in action or "s3" in action] == [
        "dynamodb:UpdateItem",
        "s3:PutObject",
    ]


def test_an_alias_stands_for_its_function(stack: cdk.Stack, function: lambda_.Function) -> None:
    alias: Any = function.add_alias("live")
    jobs = DecoupledInvocation(stack, "Jobs", function=alias)
    jobs.add_front_door("Door", path="orders")
    jobs.alarms()
    jobs.widgets()
    (worker,) = (
        Template.from_stack(stack)
        .find_resources("AWS::Lambda::Function", {"Properties": {"Handler": "index.handler"}})
        .values()
    )
    assert environment.variable(environment.RESULTS_TABLE) in worker["Properties"]["Environment"]["Variables"]


def test_the_table_is_encrypted_recoverable_and_forgets(stack: cdk.Stack, function: lambda_.Function) -> None:
    open_door(stack, function)
    Template.from_stack(stack).has_resource_properties(
        "AWS::DynamoDB::GlobalTable",
        {
            "KeySchema": [{"AttributeName": "job", "KeyType": "HASH"}],
            "TimeToLiveSpecification": {"AttributeName": "delete_after", "Enabled": True},
            "SSESpecification": {"SSEEnabled": True, "SSEType": "KMS"},
            "Replicas": [{"PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True}}],
        },
    )


def test_who_hands_out_results_reads_and_is_few(stack: cdk.Stack, function: lambda_.Function) -> None:
    open_door(stack, function, results_concurrency=7)
    template = Template.from_stack(stack)
    template.has_resource_properties(
        "AWS::Lambda::Function",
        {"Handler": "front_door.results.handler", "ReservedConcurrentExecutions": 7, "Runtime": "python3.14"},
    )
    actions = [action for action, _ in policies(template, "JobsDoorResultsRole")]
    flat = [name for action in actions for name in ([action] if isinstance(action, str) else action)]
    assert sorted(name for name in flat if not name.startswith(("logs:", "xray:"))) == [
        "dynamodb:GetItem",
        "dynamodb:UpdateItem",
        "s3:GetObject",
        "sqs:GetQueueAttributes",
        "sqs:GetQueueAttributes",
    ]


def test_a_page_of_one_origin_may_read_every_answer(stack: cdk.Stack, function: lambda_.Function) -> None:
    cors = apigateway.CorsOptions(allow_origins=["https://shop.example.net"], allow_credentials=True)
    open_door(stack, function, default_cors_preflight_options=cors)
    template = Template.from_stack(stack)
    post = method(template, "POST")
    expected = {
        "method.response.header.Access-Control-Allow-Origin": "'https://shop.example.net'",
        "method.response.header.Access-Control-Expose-Headers": "'Location,Retry-After'",
        "method.response.header.Access-Control-Allow-Credentials": "'true'",
    }
    for response in post["Integration"]["IntegrationResponses"]:
        assert expected.items() <= response["ResponseParameters"].items()
    for response in post["MethodResponses"]:
        assert expected.keys() <= response["ResponseParameters"].keys()
    handlers = text(template.find_resources("AWS::Lambda::Function"))
    assert '"Access-Control-Allow-Origin":"https://shop.example.net"' in handlers


class TestFailures:
    def test_pass_by_on_their_way_to_the_dead_letter_queue(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        open_door(stack, function)
        template = Template.from_stack(stack)
        queues = template.find_resources("AWS::SQS::Queue")
        (passed,) = (name for name in queues if name.startswith("JobsFailuresQueue"))
        (dead,) = (name for name in queues if name.startswith("JobsDeadLetterQueue"))
        (main,) = (name for name in queues if name.startswith("JobsQueue"))
        redrive = {name: queue["Properties"].get("RedrivePolicy") for name, queue in queues.items()}
        assert redrive == {
            main: {"deadLetterTargetArn": {"Fn::GetAtt": [passed, "Arn"]}, "maxReceiveCount": 5},
            # Five of its own, on top of those that SQS counted before.
            passed: {"deadLetterTargetArn": {"Fn::GetAtt": [dead, "Arn"]}, "maxReceiveCount": 10},
            dead: None,
        }
        assert queues[passed]["Properties"]["VisibilityTimeout"] >= 6 * 10

    def test_in_order_where_the_queue_is(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        open_door(stack, function, "fifo")
        queues = Template.from_stack(stack).find_resources("AWS::SQS::Queue").values()
        assert [queue["Properties"]["FifoQueue"] for queue in queues] == [True] * 3

    @pytest.mark.parametrize("permission", [sqs.RedrivePermission.DENY_ALL, sqs.RedrivePermission.BY_QUEUE])
    def test_that_the_dead_letter_queue_would_not_take(
        self, stack: cdk.Stack, function: lambda_.Function, permission: sqs.RedrivePermission
    ) -> None:
        named = sqs.Queue.from_queue_arn(stack, "Named", "arn:aws:sqs:eu-central-1:123456789012:mine")
        by_queue = permission is sqs.RedrivePermission.BY_QUEUE
        policy = sqs.RedriveAllowPolicy(redrive_permission=permission, source_queues=[named] if by_queue else None)
        jobs = DecoupledInvocation(stack, "Jobs", function=function, source=own_queue(stack, policy))
        with pytest.raises(
            BreakwaterError, match=r"redrive_allow_policy of Stack/Dead is (byQueue|denyAll), .*ALLOW_ALL"
        ):
            jobs.add_front_door("Door", path="orders")

    def test_pass_where_every_queue_may(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        policy = sqs.RedriveAllowPolicy(redrive_permission=sqs.RedrivePermission.ALLOW_ALL)
        jobs = DecoupledInvocation(stack, "Jobs", function=function, source=own_queue(stack, policy))
        jobs.add_front_door("Door", path="orders")
        assert jobs.failures_queue is not None

    def test_of_two_queues_could_not_go_back(self, app: cdk.App, stack: cdk.Stack, function: lambda_.Function) -> None:
        jobs = DecoupledInvocation(stack, "Jobs", function=function, source=own_queue(stack))
        jobs.add_front_door("Door", path="orders")
        assert jobs.dead_letter_queue is not None
        shared = sqs.DeadLetterQueue(queue=jobs.dead_letter_queue, max_receive_count=5)
        sqs.Queue(stack, "Another", dead_letter_queue=shared)
        with pytest.raises(
            RuntimeError, match=r"\[Stack/Jobs\] Stack/Dead is the dead-letter queue of Stack/Another, too"
        ):
            app.synth()

    @pytest.mark.parametrize("kind", ["kinesis", "dynamodb"])
    def test_of_a_stream_are_found_in_their_bucket(
        self, stack: cdk.Stack, function: lambda_.Function, kind: str
    ) -> None:
        open_door(stack, function, kind)
        template = Template.from_stack(stack)
        template.has_resource_properties(
            "AWS::S3::Bucket",
            {"NotificationConfiguration": {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}},
        )
        template.has_resource_properties(
            "AWS::Events::Rule",
            {"EventPattern": {"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": Match.any_value()}},
        )

    def test_that_nobody_can_see_are_reported(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        imported = sqs.Queue.from_queue_arn(stack, "Imported", "arn:aws:sqs:eu-central-1:123456789012:imported")
        jobs = DecoupledInvocation(stack, "Jobs", function=function, source=InvocationSource.sqs(imported))
        jobs.add_front_door("Door", path="orders")
        Annotations.from_stack(stack).has_warning(
            "/Stack/Jobs", Match.string_like_regexp(r"Stack/Imported is not of this app .* stays 202 until")
        )

    def test_kept_without_their_payload_are_reported(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        on_failure: Any = SqsDlq(sqs.Queue(stack, "Elsewhere"))
        stream = InvocationSource.kinesis(shard_count=1, on_failure=on_failure)
        DecoupledInvocation(stack, "Jobs", function=function, source=stream).add_front_door("Door", path="orders")
        Annotations.from_stack(stack).has_warning(
            "/Stack/Jobs", Match.string_like_regexp(r"on_failure keeps no payload that names a job")
        )


class TestCallers:
    def rendered(self, stack: cdk.Stack) -> str:
        return text(method(Template.from_stack(stack), "POST")["Integration"]["RequestTemplates"])

    def kind(self, stack: cdk.Stack) -> str:
        template = Template.from_stack(stack)
        handlers = template.find_resources(
            "AWS::Lambda::Function", {"Properties": {"Handler": "front_door.results.handler"}}
        )
        (found,) = handlers.values()
        variables = text(found["Properties"]["Environment"]["Variables"])
        return variables.split('caller":"')[1].split('"')[0]

    def test_sign_by_default(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        open_door(stack, function)
        template = Template.from_stack(stack)
        assert [method(template, verb)["AuthorizationType"] for verb in ("POST", "GET")] == ["AWS_IAM"] * 2
        assert "$!context.identity.caller" in self.rendered(stack)
        assert self.kind(stack) == "IAM"

    def test_are_anyone_for_a_reason(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        open_door(stack, function, **NOBODY)
        template = Template.from_stack(stack)
        assert [method(template, verb)["AuthorizationType"] for verb in ("POST", "GET")] == ["NONE"] * 2
        assert self.kind(stack) == "API_KEY"

    def test_are_those_of_an_authorizer(
        self, stack: cdk.Stack, function: lambda_.Function, code: dict[str, Any]
    ) -> None:
        authorizer: Any = apigateway.TokenAuthorizer(
            stack, "Authorizer", handler=lambda_.Function(stack, "Who", **code)
        )
        open_door(stack, function, default_method_options=apigateway.MethodOptions(authorizer=authorizer))
        template = Template.from_stack(stack)
        assert [method(template, verb)["AuthorizationType"] for verb in ("POST", "GET")] == ["CUSTOM"] * 2
        assert "$!context.authorizer.principalId" in self.rendered(stack)
        assert self.kind(stack) == "AUTHORIZER"

    def test_are_users_of_a_pool(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        authorizer: Any = apigateway.CognitoUserPoolsAuthorizer(
            stack, "Authorizer", cognito_user_pools=[cognito.UserPool(stack, "Pool")]
        )
        open_door(stack, function, default_method_options={"authorizer": authorizer})
        assert "$!context.authorizer.claims.sub" in self.rendered(stack)
        assert self.kind(stack) == "USER_POOL"


def test_a_key_of_ones_own_is_granted(stack: cdk.Stack, function: lambda_.Function) -> None:
    key = kms.Key(stack, "Key")
    dead_queue = sqs.Queue(stack, "Dead", retention_period=cdk.Duration.days(14))
    mine = sqs.Queue(
        stack,
        "Mine",
        encryption_master_key=key,
        visibility_timeout=cdk.Duration.minutes(1),
        retention_period=cdk.Duration.days(2),
        dead_letter_queue=sqs.DeadLetterQueue(queue=dead_queue, max_receive_count=6),
    )
    jobs = DecoupledInvocation(stack, "Jobs", function=function, source=InvocationSource.sqs(mine))
    jobs.add_front_door("Door", path="orders")
    template = Template.from_stack(stack)
    assert [action for action, _ in policies(template, "JobsDoorRole")] == [
        "sqs:SendMessage",
        ["kms:Decrypt", "kms:GenerateDataKey"],
    ]
    template.has_resource_properties(
        "AWS::SQS::Queue", {"MessageRetentionPeriod": 172_800, "RedrivePolicy": {"maxReceiveCount": 6}}
    )
    template.has_resource_properties("AWS::SQS::Queue", {"RedrivePolicy": {"maxReceiveCount": 11}})
    longest = text(template.find_resources("AWS::Lambda::Function"))
    assert '"longest_wait":172800' in longest


def test_two_doors_of_one_invocation_share_results_and_failures(stack: cdk.Stack, function: lambda_.Function) -> None:
    jobs = open_door(stack, function)
    second = jobs.add_front_door("Second", path="others", **NOBODY)
    template = Template.from_stack(stack)
    template.resource_count_is("AWS::DynamoDB::GlobalTable", 1)
    template.resource_count_is("AWS::SQS::Queue", 3)
    template.resource_count_is("AWS::ApiGateway::RestApi", 2)
    assert stack.resolve(second.url)["Fn::Join"][1][-1] == "/others"


@pytest.mark.parametrize(("base_path", "url"), [(None, "/orders"), ("shop", "/shop/orders")])
def test_behind_a_custom_domain(stack: cdk.Stack, function: lambda_.Function, base_path: str | None, url: str) -> None:
    arn = "arn:aws:acm:eu-central-1:123456789012:certificate/12345678-1234-1234-1234-123456789012"
    certificate: Any = acm.Certificate.from_certificate_arn(stack, "Certificate", arn)
    domain = apigateway.DomainNameOptions(domain_name="api.example.net", certificate=certificate, base_path=base_path)
    jobs = DecoupledInvocation(stack, "Jobs", function=function)
    assert jobs.add_front_door("Door", path="orders", domain_name=domain).url == f"https://api.example.net{url}"


def test_results_alone_are_for_idempotency(stack: cdk.Stack, function: lambda_.Function) -> None:
    jobs = DecoupledInvocation(stack, "Jobs", function=function)
    kept = jobs.keep_results(result_ttl=cdk.Duration.days(3))
    assert jobs.keep_results(result_ttl=cdk.Duration.days(3)) is kept
    template = Template.from_stack(stack)
    template.resource_count_is("AWS::ApiGateway::RestApi", 0)
    template.has_resource_properties(
        "AWS::Lambda::Function", {"Environment": {"Variables": {results.SECONDS: "259200"}}}
    )


def test_a_queue_in_a_stack_of_its_own_and_two_doors(
    app: cdk.App, stack: cdk.Stack, function: lambda_.Function
) -> None:
    queues = cdk.Stack(app, "Queues", env=cdk.Environment(account="123456789012", region="eu-central-1"))
    dead_queue = sqs.Queue(queues, "Dead", retention_period=cdk.Duration.days(14))
    mine = sqs.Queue(
        queues,
        "Mine",
        visibility_timeout=cdk.Duration.minutes(1),
        dead_letter_queue=sqs.DeadLetterQueue(queue=dead_queue, max_receive_count=5),
    )
    jobs = DecoupledInvocation(stack, "Jobs", function=function, source=InvocationSource.sqs(mine))
    for name in ("First", "Second"):
        jobs.add_front_door(name, path="orders")
    app.synth()
    Template.from_stack(queues).resource_count_is("AWS::SQS::Queue", 3)
    handlers = Template.from_stack(stack).find_resources(
        "AWS::Lambda::Function", {"Properties": {"Handler": "front_door.results.handler"}}
    )
    # Both look into the queue and into the one that its failures pass.
    assert [text(handler).count("Queues:ExportsOutputRef") for handler in handlers.values()] == [2, 2]


@pytest.mark.parametrize("kind", ["sqs", "fifo", "kinesis", "dynamodb"])
def test_function_and_source_in_stacks_of_their_own(app: cdk.App, code: dict[str, Any], kind: str) -> None:
    environment_ = cdk.Environment(account="123456789012", region="eu-central-1")
    functions, doors = (cdk.Stack(app, name, env=environment_) for name in ("Functions", "Doors"))
    worker = lambda_.Function(functions, "Worker", reserved_concurrent_executions=10, **code)
    open_door(doors, worker, kind)
    app.synth()
    Template.from_stack(functions).resource_count_is("AWS::ApiGateway::RestApi", 0)
    Template.from_stack(doors).resource_count_is("AWS::ApiGateway::RestApi", 1)


class TestErrors:
    @pytest.mark.parametrize(
        ("kind", "options", "message"),
        [
            ("sqs", {"order_by": "$.customer"}, r"Stack/Jobs: a standard queue keeps no order\. Use .*fifo=True"),
            ("dynamodb", {"order_by": "$.customer"}, r"Stack/Jobs: a table keeps no order among its items"),
            (
                "fifo",
                {"order_by": "customer')"},
                r"order_by=\"customer'\)\" is no path to one value\. Name members only",
            ),
            ("sqs", {"path": "/"}, r"Stack/Jobs/Door: path='/' names nothing to post to\. Name it, such as \"orders\""),
            ("sqs", {"protocol": ApiProtocol.HTTP}, r"Stack/Jobs/Door: an HTTP API has no mapping templates"),
            (
                "sqs",
                {"default_cors_preflight_options": apigateway.CorsOptions(allow_origins=["https://a", "https://b"])},
                r"Stack/Jobs/Door: allow_origins names 2 origins, and an answer can name one\. Name one, or '\*'",
            ),
            ("sqs", {"partition_key": "id"}, r"partition_key is for a table as source"),
            ("sqs", {"max_body": cdk.Size.mebibytes(2)}, r"Door: max_body is 2097152 bytes\. It is 1 to 1048576"),
            ("sqs", {"result_ttl": cdk.Duration.seconds(5)}, r"Door: result_ttl=.* is no known time of 60 s or more"),
            ("sqs", {"results_concurrency": 0}, r"Door: results_concurrency must be a whole number of at least 1"),
            ("sqs", {"retry_after": cdk.Duration.seconds(0)}, r"retry_after in seconds must be a whole number of at"),
            ("sqs", {"rate_limit": 0}, r"rate_limit of .* must be above 0 \(given 0\)"),
            ("sqs", {"acknowledge_no_authorization": " "}, r"acknowledge_no_authorization is empty"),
        ],
    )
    def test_what_does_not_fit(
        self, stack: cdk.Stack, function: lambda_.Function, kind: str, options: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(BreakwaterError, match=message):
            open_door(stack, function, kind, **options)

    def test_an_imported_function_cannot_be_told(self, stack: cdk.Stack) -> None:
        arn = "arn:aws:lambda:eu-central-1:123456789012:function:theirs"
        imported = lambda_.Function.from_function_arn(stack, "Theirs", arn)
        with pytest.raises(
            BreakwaterError, match=r"Stack: Stack/Theirs is imported, so it cannot be told where answers"
        ):
            JobResults.of(stack, stack, imported, cdk.Duration.days(1))

    def test_two_terms_for_one_table(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        jobs = open_door(stack, function)
        with pytest.raises(BreakwaterError, match=r"result_ttl=60 s, and another front door of Stack/Worker has 86400"):
            jobs.add_front_door("Second", path="others", result_ttl=cdk.Duration.minutes(1))

    def test_a_table_with_a_sort_key(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        sort_key = dynamodb.Attribute(name="at", type=dynamodb.AttributeType.STRING)
        stream = InvocationSource.dynamodb_stream(table(stack, sort_key=sort_key))
        jobs = DecoupledInvocation(stack, "Jobs", function=function, source=stream)
        with pytest.raises(BreakwaterError, match=r"Stack/Orders has a sort key, and a job is one item by its name"):
            jobs.add_front_door("Door", path="orders")

    def test_a_table_whose_key_is_a_number(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        key = dynamodb.Attribute(name="id", type=dynamodb.AttributeType.NUMBER)
        stream = InvocationSource.dynamodb_stream(table(stack, partition_key=key))
        jobs = DecoupledInvocation(stack, "Jobs", function=function, source=stream)
        with pytest.raises(BreakwaterError, match=r"partition key of Stack/Orders is 'id', type N\. It is a string"):
            jobs.add_front_door("Door", path="orders")

    def test_an_imported_tables_key_is_to_be_named(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        arn = "arn:aws:dynamodb:eu-central-1:123456789012:table/orders"
        imported = dynamodb.TableV2.from_table_attributes(
            stack, "Imported", table_arn=arn, table_stream_arn=f"{arn}/stream/2026-01-01T00:00:00.000"
        )
        stream = InvocationSource.dynamodb_stream(imported)
        jobs = DecoupledInvocation(stack, "Jobs", function=function, source=stream)
        with pytest.raises(BreakwaterError, match=r"partition key of Stack/Imported is None, type unknown"):
            jobs.add_front_door("Door", path="orders")
        jobs.add_front_door("Named", path="orders", partition_key="order_id")
        assert '"order_id": {"S": "$job"}' in text(method(Template.from_stack(stack), "POST")["Integration"])


def test_shards_of_a_stream_of_ones_own_limit_the_rate(stack: cdk.Stack, function: lambda_.Function) -> None:
    stream = kinesis.Stream(stack, "Mine", stream_mode=kinesis.StreamMode.ON_DEMAND)
    jobs = DecoupledInvocation(stack, "Jobs", function=function, source=InvocationSource.kinesis(stream))
    door = jobs.add_front_door("Door", path="/v1/orders/", **NOBODY)
    assert door.api.throttle.rate_limit == 1250
    Template.from_stack(stack).has_resource_properties("AWS::ApiGateway::Resource", {"PathPart": "v1"})


def test_large_answers_go_with_their_term(stack: cdk.Stack, function: lambda_.Function) -> None:
    open_door(stack, function, result_ttl=cdk.Duration.hours(30))
    buckets = Template.from_stack(stack).find_resources("AWS::S3::Bucket").values()
    (rules,) = (bucket["Properties"]["LifecycleConfiguration"]["Rules"] for bucket in buckets)
    assert rules[0]["ExpirationInDays"] == 2
