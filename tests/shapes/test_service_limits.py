"""Constructs that grow with what they are given, at the most that they take: their templates keep to AWS's limits."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import Duration
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Annotations, Match
from constructs import Construct

from cdk_breakwater import (
    ApiProtocol,
    ConnectionBudget,
    DatabaseCredentials,
    DatabaseEngine,
    DecoupledInvocation,
    Downstream,
    InvocationSource,
    QuotaThrottledInvocation,
    QuotaTier,
    ThrottledApi,
    VpcDatabaseFunction,
    breakwater_dashboard,
)
from cdk_breakwater.monitoring.alarms import make_alarms
from cdk_breakwater.monitoring.dashboard_page import show_with

from .conftest import code, database_in, stack_in, vpc_in

Resource = dict[str, Any]
Found = Iterator[tuple[str, int]]

SHARES = 41
ROUTES, CLIENTS, ORIGINS = 45, 20, 40
QUEUES = 30
DATABASES = 7
LANES, TIERS = 30, 12
USERS = 45
HTTP_ROUTES = 240
WIDGETS = 251


class Panel(Construct):
    """Many widgets and alarms, as an app's list of constructs has in all."""

    def __init__(self, scope: Construct, id: str, anchor: Construct) -> None:
        super().__init__(scope, id)
        self._metrics: list[cloudwatch.IMetric] = [
            cloudwatch.Metric(namespace="Shop", metric_name=f"{id}{number}") for number in range(5)
        ]
        show_with(self, anchor)

    def widgets(self) -> list[cloudwatch.IWidget]:
        return [cloudwatch.GraphWidget(left=self._metrics)] * WIDGETS


def limited(stack: cdk.Stack, id: str, concurrency: int = 300) -> lambda_.Function:
    return lambda_.Function(
        stack, id, **code(), timeout=Duration.seconds(10), reserved_concurrent_executions=concurrency
    )


def shares(stack: cdk.Stack) -> None:
    budget = ConnectionBudget(stack, "Budget", max_connections=2_000, guard_deployments=True)
    role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    for number in range(SHARES):
        function = lambda_.Function(stack, f"Worker{number}", **code(), role=role)
        budget.share(f"worker{number}").limit(function, overlap=False)
    budget.alarms()
    breakwater_dashboard(stack, "Board", [budget])


def panels(stack: cdk.Stack) -> None:
    anchor = Construct(stack, "Anchor")
    many = [Panel(stack, f"Panel{number}", anchor) for number in range(2)]

    def alarms(scope: Construct) -> list[cloudwatch.Alarm]:
        (metric,) = (cloudwatch.Metric(namespace="Shop", metric_name="Orders"),)
        return [
            cloudwatch.Alarm(scope, f"Alarm{number}", metric=metric, threshold=1, evaluation_periods=1)
            for number in range(150)
        ]

    make_alarms(many[0], alarms, None)
    breakwater_dashboard(stack, "Board", many, dashboard_name="Shop")


def rest_api(stack: cdk.Stack) -> None:
    origins = [f"https://shop{number}.example.net" for number in range(ORIGINS)]
    api = ThrottledApi(
        stack,
        "Api",
        function=limited(stack, "Function"),
        expected_duration=Duration.millis(100),
        default_cors_preflight_options=apigateway.CorsOptions(allow_origins=origins),
    )
    for number in range(ROUTES):
        api.add_route("GET", f"/orders{number}")
    for number in range(CLIENTS):
        api.add_client(f"partner{number}", rate_limit=1)
    api.alarms()


def queues(stack: cdk.Stack) -> None:
    function, producer = limited(stack, "Function", 400), limited(stack, "Producer", 1)
    for number in range(QUEUES):
        source = InvocationSource.sqs()
        DecoupledInvocation(stack, f"Jobs{number}", function=function, source=source).grant_send(producer)


def databases(stack: cdk.Stack, count: int = DATABASES) -> None:
    vpc = vpc_in(stack)
    ends = [
        Downstream.endpoint(
            stack,
            f"Server{number}",
            host=f"server{number}.example.net",
            port=3306,
            engine=DatabaseEngine.MYSQL,
            max_connections=500,
            secret=cdk.aws_secretsmanager.Secret(stack, f"Secret{number}"),
        )
        for number in range(count)
    ]
    function = VpcDatabaseFunction(stack, "Orders", database=ends[0], vpc=vpc, **code())
    for number, end in enumerate(ends[1:]):
        function.add_database(f"further{number}", database=end)


def users(stack: cdk.Stack) -> None:
    vpc = vpc_in(stack)
    database = database_in(vpc, parameters={"max_connections": "800"})
    for number in range(USERS):
        login = DatabaseCredentials.user(f"worker{number}", grants=["SELECT, INSERT, UPDATE, DELETE ON public.*"])
        VpcDatabaseFunction(stack, f"Worker{number}", database=database, vpc=vpc, credentials=login, **code())


def http_api(stack: cdk.Stack) -> None:
    function = limited(stack, "Function")
    api = ThrottledApi(
        stack, "Api", function=function, expected_duration=Duration.millis(100), protocol=ApiProtocol.HTTP
    )
    for number in range(HTTP_ROUTES):
        api.add_route("GET", f"/orders{number}")
    api.alarms()


def quota(stack: cdk.Stack) -> None:
    tiers = [QuotaTier(limit=10 + step, period=Duration.seconds(1 + step)) for step in range(TIERS)]
    calls = QuotaThrottledInvocation(
        stack, "Crm", function=limited(stack, "Caller", 100), tiers=tiers, lanes=LANES, priority=True
    )
    calls.alarms()
    calls.grant_send(limited(stack, "Producer", 1))
    breakwater_dashboard(stack, "Board", [calls])


ARN = "arn:aws:service:eu-central-1:123456789012:shop-Function7F1B3C2D-0123456789AB"
ANSWERS = '{"Status":"SUCCESS","PhysicalResourceId":"gate","StackId":"","RequestId":"","LogicalResourceId":""}'


def text(value: Any) -> str:
    """Write a value as a deployment will about know it."""
    if isinstance(value, dict) and "Fn::Join" in value:
        between, parts = value["Fn::Join"]
        return between.join(map(text, parts))
    if isinstance(value, dict):
        return {"AWS::Region": "eu-central-1", "AWS::AccountId": "123456789012", "AWS::Partition": "aws"}.get(
            str(value.get("Ref")), ARN
        )
    return str(value)


def written(value: Any) -> Any:
    if isinstance(value, dict) and not any(key == "Ref" or key.startswith("Fn::") for key in value):
        return {key: written(each) for key, each in value.items()}
    return [written(each) for each in value] if isinstance(value, list) else text(value)


def length(value: Any) -> int:
    return len(json.dumps(written(value), separators=(",", ":")))


def of_type(template: dict[str, Any], type_: str) -> Iterator[tuple[str, Resource]]:
    for id_, resource in template["Resources"].items():
        if resource["Type"] == type_:
            yield id_, resource.get("Properties", {})


def summed(template: dict[str, Any], type_: str, key: str, size: Callable[[Resource], int]) -> Found:
    sums: Counter[str] = Counter()
    for _, properties in of_type(template, type_):
        owners = properties[key] if isinstance(properties[key], list) else [properties[key]]
        for owner in owners:
            sums[json.dumps(owner)] += size(properties)
    yield from sums.items()


def environments(template: dict[str, Any]) -> Found:
    for id_, properties in of_type(template, "AWS::Lambda::Function"):
        variables = properties.get("Environment", {}).get("Variables", {})
        yield id_, sum(len(name) + len(text(value)) for name, value in variables.items())


def function_policies(template: dict[str, Any]) -> Found:
    # A statement's braces, names and its Sid come to 150 bytes.
    yield from summed(template, "AWS::Lambda::Permission", "FunctionName", lambda found: 150 + length(found))


def inline_policies(template: dict[str, Any]) -> Found:
    yield from summed(template, "AWS::IAM::Policy", "Roles", lambda found: length(found["PolicyDocument"]))


def managed_policies(template: dict[str, Any]) -> Found:
    for id_, found in of_type(template, "AWS::IAM::ManagedPolicy"):
        yield id_, length(found["PolicyDocument"])


def queue_policies(template: dict[str, Any]) -> Found:
    for id_, found in of_type(template, "AWS::SQS::QueuePolicy"):
        yield id_, length(found["PolicyDocument"])


def resources(template: dict[str, Any]) -> Found:
    yield "resources", len(template["Resources"])


def size(template: dict[str, Any]) -> Found:
    yield "template", len(json.dumps(template))


def outputs(template: dict[str, Any]) -> Found:
    yield "outputs", len(template.get("Outputs", {}))


def alarm_metrics(template: dict[str, Any]) -> Found:
    for id_, found in of_type(template, "AWS::CloudWatch::Alarm"):
        yield id_, sum("MetricStat" in metric for metric in found.get("Metrics", [{"MetricStat": {}}]))


def descriptions(template: dict[str, Any]) -> Found:
    for id_, found in of_type(template, "AWS::CloudWatch::Alarm"):
        yield id_, len(text(found.get("AlarmDescription", "")))


def bodies(template: dict[str, Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for id_, found in of_type(template, "AWS::CloudWatch::Dashboard"):
        yield id_, [widget["properties"] for widget in json.loads(text(found["DashboardBody"]))["widgets"]]


def parts(template: dict[str, Any], kind: str) -> Found:
    for id_, body in bodies(template):
        for number, widget in enumerate(body):
            yield f"{id_} {number}", len(widget.get(kind, []))


def widgets(template: dict[str, Any]) -> Found:
    yield from ((id_, len(body)) for id_, body in bodies(template))


def dashboard_metrics(template: dict[str, Any]) -> Found:
    yield from ((id_, sum(len(each.get("metrics", [])) for each in body)) for id_, body in bodies(template))


def widget_metrics(template: dict[str, Any]) -> Found:
    yield from parts(template, "metrics")


def widget_alarms(template: dict[str, Any]) -> Found:
    yield from parts(template, "alarms")


def gate_answers(template: dict[str, Any]) -> Found:
    for id_, found in of_type(template, "Custom::BreakwaterGate"):
        answers = {key: found["Functions"][key]["Share"] for key in found["Functions"]}
        yield id_, len(ANSWERS) + 600 + length({**answers, "Withheld": "0"})


def mapping_templates(template: dict[str, Any]) -> Found:
    for id_, found in of_type(template, "AWS::ApiGateway::Method"):
        answers = found["Integration"].get("IntegrationResponses", [])
        texts = [part for each in answers for part in each.get("ResponseTemplates", {}).values()]
        yield id_, max((len(text(part)) for part in texts), default=0)


def tags(template: dict[str, Any]) -> Found:
    for id_, found in of_type(template, "AWS::Lambda::Function"):
        yield id_, max((len(text(tag["Value"])) for tag in found.get("Tags", [])), default=0)


def counted(template: dict[str, Any], type_: str) -> Found:
    yield type_, len(list(of_type(template, type_)))


def routes(template: dict[str, Any]) -> Found:
    yield from counted(template, "AWS::ApiGatewayV2::Route")


def integrations(template: dict[str, Any]) -> Found:
    yield from counted(template, "AWS::ApiGatewayV2::Integration")


def route_settings(template: dict[str, Any]) -> Found:
    for id_, found in of_type(template, "AWS::ApiGatewayV2::Stage"):
        yield id_, len(found.get("RouteSettings", {}))


def attached_policies(template: dict[str, Any]) -> Found:
    # What a role names by itself, and what names the role.
    for id_, found in of_type(template, "AWS::IAM::Role"):
        owned = [
            policy
            for _, policy in of_type(template, "AWS::IAM::ManagedPolicy")
            if {"Ref": id_} in policy.get("Roles", [])
        ]
        yield id_, len(found.get("ManagedPolicyArns", [])) + len(owned)


def trust_policies(template: dict[str, Any]) -> Found:
    for id_, found in of_type(template, "AWS::IAM::Role"):
        yield id_, length(found["AssumeRolePolicyDocument"])


# Lambda Developer Guide, "Lambda quotas"; IAM User Guide, "IAM and AWS STS quotas"; CloudFormation User Guide,
# "Understand CloudFormation quotas", and of a custom resource's answer "Custom resource response objects"; CloudWatch
# User Guide, "CloudWatch service quotas", and API Reference, PutMetricAlarm and "Dashboard body structure"; API Gateway
# Developer Guide, "Quotas"; SQS Developer Guide, "Amazon SQS policy quotas"; Lambda API Reference, TagResource.
LIMITS: list[tuple[Callable[[dict[str, Any]], Found], int]] = [
    (environments, 4_096),
    (function_policies, 20_480),
    (inline_policies, 10_240),
    (managed_policies, 6_144),
    (queue_policies, 8_192),
    (resources, 500),
    (size, 1_000_000),
    (outputs, 200),
    (alarm_metrics, 10),
    (descriptions, 1_024),
    (widgets, 500),
    (dashboard_metrics, 2_500),
    (widget_metrics, 500),
    (widget_alarms, 100),
    (gate_answers, 4_096),
    (mapping_templates, 300 * 1024),
    (tags, 256),
    (routes, 300),
    (integrations, 300),
    (route_settings, 300),
    (attached_policies, 10),
    (trust_policies, 2_048),
]


def test_nothing_outgrows_what_aws_takes() -> None:
    # One test, so that two workers do not synthesize it twice.
    app = cdk.App(context={"account_concurrency": 5_000, "aws:cdk:disable-asset-staging": True})
    for build in (shares, panels, rest_api, http_api, queues, databases, users, quota):
        build(stack_in(app, build.__name__.replace("_", "-")))
    templates = {stack.stack_name: stack.template for stack in app.synth().stacks}
    for measure, most in LIMITS:
        found = {(name, id_): number for name, template in templates.items() for id_, number in measure(template)}
        assert any(found.values()), f"{measure.__name__}: measured nothing"
        assert {place: number for place, number in found.items() if number > most} == {}, measure.__name__


@pytest.mark.parametrize(("count", "speaks"), [(DATABASES, False), (12, True)])
def test_more_databases_than_an_environment_holds_are_spoken_of(app: cdk.App, count: int, speaks: bool) -> None:
    stack = stack_in(app, "Shop")
    databases(stack, count)
    app.synth()
    text = Match.string_like_regexp(f"the variables of its {count} databases .* Lambda takes 4,096")
    assert bool(Annotations.from_stack(stack).find_warning("/Shop/Orders", text)) is speaks


def test_more_databases_than_any_environment_holds_are_refused(app: cdk.App) -> None:
    databases(stack_in(app, "Shop"), 18)
    with pytest.raises(RuntimeError, match=r"\[Shop/Orders\] the variables of its 18 databases .* at least .* 4,096"):
        app.synth()


def test_more_rules_than_a_security_group_takes_are_spoken_of(app: cdk.App) -> None:
    stack = stack_in(app, "Shop")
    vpc = vpc_in(stack)
    database = database_in(vpc)
    for number in range(60):
        group = ec2.SecurityGroup.from_security_group_id(stack, f"Client{number}", f"sg-{number:017x}")
        database.connections.allow_default_port_from(group)
    VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, **code())
    app.synth()
    text = Match.string_like_regexp("gets 61 inbound rules, and EC2 takes 60")
    Annotations.from_stack(stack).has_warning("/Shop/Database", text)
