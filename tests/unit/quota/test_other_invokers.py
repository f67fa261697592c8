"""Whatever invokes the function behind a quota past it is named."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as events_targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as scheduler_targets
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as stepfunctions
from aws_cdk import aws_stepfunctions_tasks as tasks
from aws_cdk.assertions import Annotations, Match
from constructs import Construct

from cdk_breakwater import QuotaThrottledInvocation
from tests.unit.quota.test_quota_throttled_invocation import TIERS, caller

DAY = cdk.Duration.days(1)


def role(scope: Construct, **options: Any) -> iam.Role:
    principal: Any = iam.ServicePrincipal("ec2.amazonaws.com")
    return iam.Role(scope, "Role", assumed_by=principal, **options)


def allowing(function: Any) -> dict[str, Any]:
    """Return a policy as a template of CloudFormation has it."""
    statement = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": function.function_arn}
    return {"Statement": [None, {"Effect": "Allow", "NotAction": "x", "Resource": "*"}, statement]}


# Each returns where that which invokes the function stands.


def event_source(scope: Construct, function: Any) -> str:
    function.add_event_source(sources.SqsEventSource(sqs.Queue(scope, "Source")))
    return f"{function.node.path}/SqsEventSource"


def mapping(scope: Construct, function: Any) -> str:
    arn = "arn:aws:sqs:eu-central-1:123456789012:q"
    return lambda_.EventSourceMapping(scope, "Mapping", target=function, event_source_arn=arn).node.path


def rule(scope: Construct, function: Any) -> str:
    target: Any = events_targets.LambdaFunction(function)
    return events.Rule(scope, "Rule", schedule=events.Schedule.rate(DAY), targets=[target]).node.path


def state_machine(scope: Construct, function: Any) -> str:
    task: Any = tasks.LambdaInvoke(scope, "Task", lambda_function=function)
    body = stepfunctions.DefinitionBody.from_chainable(task)
    return stepfunctions.StateMachine(scope, "Machine", definition_body=body).role.node.path


def schedule(scope: Construct, function: Any) -> str:
    owner = role(scope)
    target: Any = scheduler_targets.LambdaInvoke(function, role=owner)
    scheduler.Schedule(scope, "Schedule", schedule=scheduler.ScheduleExpression.rate(DAY), target=target)
    return owner.node.path


def granted(scope: Construct, function: Any) -> str:
    grantee = role(scope)
    function.grant_invoke(grantee)
    return grantee.node.path


def inline(scope: Construct, function: Any) -> str:
    statement = iam.PolicyStatement(actions=["lambda:*"], resources=[f"{function.function_arn}:*"])
    return role(scope, inline_policies={"Call": iam.PolicyDocument(statements=[statement])}).node.path


def managed(scope: Construct, function: Any) -> str:
    statement = iam.PolicyStatement(actions=["lambda:InvokeAsync"], resources=["other", function.function_arn])
    return iam.ManagedPolicy(scope, "Managed", statements=[statement]).node.path


def plain(scope: Construct, function: Any) -> str:
    return iam.CfnPolicy(scope, "P", policy_name="p", policy_document=allowing(function), roles=["theirs"]).node.path


def without_a_class(scope: Construct, function: Any) -> str:
    properties = {"PolicyName": "p", "PolicyDocument": allowing(function), "Roles": ["theirs"]}
    return cdk.CfnResource(scope, "R", type="AWS::IAM::Policy", properties=properties).node.path


IN_ANOTHER_STACK = (mapping, rule, state_machine, schedule, granted, inline, managed, plain, without_a_class)
WAYS = (event_source, *IN_ANOTHER_STACK)


def bypasses(stack: cdk.Stack) -> list[str]:
    found = Annotations.from_stack(stack).find_warning("/Stack/Crm", Match.string_like_regexp("past the quota"))
    return [str(each.entry.data).split(" lets Stack/Caller ")[0] for each in found]


def test_each_way_past_a_quota_is_named_by_an_alias_and_from_another_stack(
    app: cdk.App, stack: cdk.Stack, code: dict[str, Any]
) -> None:
    function = caller(stack, code)
    live, version = function.add_alias("live"), function.current_version
    other = cdk.Stack(app, "Other", env=cdk.Environment(account="123456789012", region="eu-central-1"))
    QuotaThrottledInvocation(stack, "Crm", function=live, tiers=TIERS)
    wanted = [
        way(Construct(scope, f"{way.__name__}-{target.node.id}"), target)
        for scope, target in ((stack, function), (stack, live), (other, live), (stack, version))
        for way in (WAYS if scope is stack else IN_ANOTHER_STACK)
    ]
    nested: Any = cdk.NestedStack(stack, "Nested")
    wanted += [granted(nested, live), live.add_function_url().node.path]
    found = bypasses(stack)
    assert [path for path in wanted if not any(each.startswith(path) for each in found)] == []
    assert [path for path in found if not any(path.startswith(each) for each in wanted)] == []


def test_a_way_out_of_a_nested_stack_is_named(app: cdk.App, stack: cdk.Stack, code: dict[str, Any]) -> None:
    nested: Any = cdk.NestedStack(stack, "Nested")
    live = caller(nested, code).add_alias("live")
    crm = QuotaThrottledInvocation(nested, "Crm", function=live, tiers=TIERS)
    other = cdk.Stack(app, "Other", env=cdk.Environment(account="123456789012", region="eu-central-1"))
    wanted = [granted(scope, live) for scope in (stack, other)]
    app.synth()
    said = str([entry.data for entry in crm.node.metadata])
    assert [path for path in wanted if f"{path}/DefaultPolicy/Resource lets Stack/Nested/Caller" not in said] == []


def test_what_invokes_other_functions_or_does_other_things_is_not(stack: cdk.Stack, code: dict[str, Any]) -> None:
    function = caller(stack, code)
    second = lambda_.Function(stack, "CallerTwo", **code)
    quota = QuotaThrottledInvocation(stack, "Crm", function=function.current_version, tiers=TIERS)
    QuotaThrottledInvocation(stack, "Other", function=lambda_.Function(stack, "Third", **code), tiers=TIERS)
    quota.grant_acquire(second)
    for way in WAYS:
        way(Construct(stack, way.__name__), second)
    reader = role(stack)
    reader.add_to_policy(iam.PolicyStatement(actions=["lambda:GetFunction"], resources=[function.function_arn]))
    denied = iam.PolicyStatement(
        effect=iam.Effect.DENY, actions=["lambda:InvokeFunction"], resources=[function.function_arn]
    )
    reader.add_to_policy(denied)
    assert bypasses(stack) == []
