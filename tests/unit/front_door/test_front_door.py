"""What a front door makes of each source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Annotations, Match, Template

from breakwater_runtime import results
from cdk_breakwater import (
    ConnectionBudget,
    DecoupledInvocation,
    Downstream,
    InvocationSource,
    RuntimeLayer,
    VpcDatabaseFunction,
)
from cdk_breakwater.layers import runtime_settings as environment

from .doors import NOBODY, method, open_door, policies, text


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
    looks = pytest.approx(22.2, abs=0.1)  # 2.2 of a concurrency of 5, at 100 ms
    assert limits == {("*", "/*"): rate, ("POST", "/~1orders"): rate, ("GET", "/~1orders~1{id}"): looks}


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
    # Its messages are encrypted by the key that they came with.
    arn = {"Fn::GetAtt": [stack.get_logical_id(key.node.default_child), "Arn"]}  # type: ignore[arg-type]
    template.has_resource_properties(
        "AWS::SQS::Queue", {"KmsMasterKeyId": arn, "RedrivePolicy": {"maxReceiveCount": 11}}
    )
    assert ("kms:Decrypt", arn) in policies(template, "JobsFailures")
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


@pytest.mark.parametrize("kind", ["sqs", "fifo", "kinesis", "dynamodb"])
def test_function_and_source_in_stacks_of_their_own(app: cdk.App, code: dict[str, Any], kind: str) -> None:
    environment_ = cdk.Environment(account="123456789012", region="eu-central-1")
    functions, doors = (cdk.Stack(app, name, env=environment_) for name in ("Functions", "Doors"))
    worker = lambda_.Function(functions, "Worker", reserved_concurrent_executions=10, **code)
    open_door(doors, worker, kind)
    app.synth()
    Template.from_stack(functions).resource_count_is("AWS::ApiGateway::RestApi", 0)
    Template.from_stack(doors).resource_count_is("AWS::ApiGateway::RestApi", 1)


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


@pytest.mark.parametrize(
    "cors",
    [
        apigateway.CorsOptions(allow_origins=["https://shop.example.net"]),
        apigateway.CorsOptions(allow_origins=["https://shop.example.net"], allow_headers=["X-Trace"]),
        {"allow_origins": ["https://shop.example.net"], "allow_headers": ["idempotency-key", "X-Trace"]},
    ],
)
def test_a_page_may_send_a_key_and_follow_to_a_large_answer(
    stack: cdk.Stack, function: lambda_.Function, cors: Any
) -> None:
    jobs = open_door(stack, function, default_cors_preflight_options=cors)
    jobs.add_front_door("Second", path="others", default_cors_preflight_options=cors)
    template = Template.from_stack(stack)
    preflights = template.find_resources("AWS::ApiGateway::Method", {"Properties": {"HttpMethod": "OPTIONS"}})
    assert preflights
    for preflight in preflights.values():
        (response,) = preflight["Properties"]["Integration"]["IntegrationResponses"]
        allowed = response["ResponseParameters"]["method.response.header.Access-Control-Allow-Headers"]
        names = [name.lower() for name in allowed.strip("'").split(",")]
        assert names.count("idempotency-key") == 1
        assert "x-trace" in names or "authorization" in names
    # A browser that is sent on to another origin sends "null" as its own.
    (bucket,) = template.find_resources("AWS::S3::Bucket").values()
    assert bucket["Properties"]["CorsConfiguration"] == {
        "CorsRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]
    }


def test_without_pages_the_bucket_answers_none(stack: cdk.Stack, function: lambda_.Function) -> None:
    open_door(stack, function)
    (bucket,) = Template.from_stack(stack).find_resources("AWS::S3::Bucket").values()
    assert "CorsConfiguration" not in bucket["Properties"]


def test_a_function_that_keeps_no_answers_is_spoken_of(
    stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any], tmp_path: Path
) -> None:
    """Whatever limits it: a number of its own, a share, or this library's class."""
    node: dict[str, Any] = {**code, "runtime": lambda_.Runtime.NODEJS_22_X}
    layer = RuntimeLayer(stack, "Runtime", drivers=[], runtime=code["runtime"])
    (tmp_path / "Dockerfile").write_text("FROM public.ecr.aws/lambda/python:3.14\n")
    image = lambda_.DockerImageCode.from_image_asset(str(tmp_path))
    few: dict[str, Any] = {"reserved_concurrent_executions": 2}
    later = lambda_.Function(stack, "Later", **few, **code)
    shared, connected = (lambda_.Function(stack, name, vpc=vpc, **code) for name in ("Shared", "Connected"))
    Downstream.of(database).connect(connected)
    ConnectionBudget.of(database).share("worker").limit(shared)
    ours = {"database": database, "vpc": vpc}
    of_another_language = "is not of Python, and nothing keeps its answers"
    java = {**node, "code": lambda_.Code.from_asset(str(tmp_path)), "runtime": lambda_.Runtime.JAVA_21}
    cases: list[tuple[lambda_.Function, str | None]] = [
        (lambda_.Function(stack, "Plain", **few, **code), "has no layer with breakwater_runtime"),
        (shared, "has no layer with breakwater_runtime"),
        (lambda_.Function(stack, "Node", **few, **node), of_another_language),
        (lambda_.DockerImageFunction(stack, "Image", code=image, **few), "is a container image"),
        (VpcDatabaseFunction(stack, "OursOfNode", **ours, **node), of_another_language),
        (VpcDatabaseFunction(stack, "OursOfJava", **ours, **java), of_another_language),
        (VpcDatabaseFunction(stack, "Ours", **ours, **code), None),
        (lambda_.Function(stack, "Layered", layers=[layer], **few, **code), None),
        (connected, None),
        (later, None),
    ]
    for function, _ in cases:
        DecoupledInvocation(stack, f"{function.node.id}Jobs", function=function).add_front_door("Door", path="orders")
    later.add_layers(layer)
    annotations = Annotations.from_stack(stack)
    for function, spoken in cases:
        where = f"/Stack/{function.node.id}Jobs/Door"
        if spoken:
            annotations.has_warning(where, Match.string_like_regexp(f"{function.node.path} {spoken}"))
        else:
            annotations.has_no_warning(where, Match.string_like_regexp("answers"))


@pytest.mark.parametrize(
    ("kind", "options", "told"),
    [
        (ec2.SubnetType.PRIVATE_WITH_EGRESS, {}, 0),
        (ec2.SubnetType.PRIVATE_WITH_EGRESS, {"ip_protocol": ec2.IpProtocol.DUAL_STACK, "nat_gateways": 0}, 1),
        (ec2.SubnetType.PRIVATE_ISOLATED, {}, 1),
    ],
    ids=["NAT", "IPv6 alone", "isolated"],
)
def test_subnets_without_a_way_out_are_told_that_answers_need_one(
    stack: cdk.Stack, kind: ec2.SubnetType, options: dict[str, Any], told: int
) -> None:
    vpc = ec2.Vpc(
        stack,
        "Vpc",
        max_azs=2,
        **options,
        subnet_configuration=[
            ec2.SubnetConfiguration(name="Public", subnet_type=ec2.SubnetType.PUBLIC),
            ec2.SubnetConfiguration(name="Private", subnet_type=kind),
        ],
    )
    code = lambda_.Code.from_inline("def handler(event, context): ...")
    function = lambda_.Function(
        stack,
        "Inside",
        code=code,
        handler="index.handler",
        runtime=lambda_.Runtime.PYTHON_3_13,
        reserved_concurrent_executions=5,
        vpc=vpc,
        vpc_subnets=ec2.SubnetSelection(subnet_type=kind),
    )
    open_door(stack, function)
    found = Annotations.from_stack(stack).find_info("*", Match.string_like_regexp("keeps answers in DynamoDB"))
    assert len(found) == told
