"""What an Aspect or an override makes of a function after its construct: its timeout counts, its layer must fit."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import jsii
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Template
from constructs import IConstruct

from cdk_breakwater import DecoupledInvocation, Downstream, InvocationSource, VpcDatabaseFunction


@jsii.implements(cdk.IAspect)
class LongerTimeout:
    def visit(self, node: IConstruct) -> None:
        if isinstance(node, lambda_.CfnFunction):
            node.timeout = 100


@jsii.implements(cdk.IAspect)
class Arm:
    def visit(self, node: IConstruct) -> None:
        if isinstance(node, lambda_.CfnFunction):
            node.architectures = ["arm64"]


@pytest.fixture
def function(
    stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
) -> VpcDatabaseFunction:
    return VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, **code)


def override(function: lambda_.Function, property_: str, value: Any) -> None:
    resource = function.node.default_child
    assert isinstance(resource, cdk.CfnResource)
    resource.add_property_override(property_, value)


@pytest.mark.parametrize("by_aspect", [False, True])
def test_visibility_timeout_and_deadline_follow_the_timeout(
    stack: cdk.Stack, function: VpcDatabaseFunction, by_aspect: bool
) -> None:
    DecoupledInvocation(stack, "Jobs", function=function)
    if by_aspect:
        cdk.Aspects.of(stack).add(LongerTimeout())
    else:
        override(function, "Timeout", 100)
    template = Template.from_stack(stack)
    template.has_resource_properties("AWS::SQS::Queue", {"VisibilityTimeout": 600})
    template.has_resource_properties(
        "AWS::Lambda::Function",
        {"Timeout": 100, "Environment": {"Variables": {"BREAKWATER_FUNCTION_TIMEOUT": "100"}}},
    )


def test_a_queue_of_the_apps_own_must_follow(app: cdk.App, stack: cdk.Stack, function: VpcDatabaseFunction) -> None:
    dead = sqs.Queue(stack, "Dead", retention_period=cdk.Duration.days(14))
    queue = sqs.Queue(
        stack,
        "Queue",
        visibility_timeout=cdk.Duration.seconds(180),
        dead_letter_queue=sqs.DeadLetterQueue(queue=dead, max_receive_count=5),
    )
    DecoupledInvocation(stack, "Jobs", function=function, source=InvocationSource.sqs(queue))
    override(function, "Timeout", 100)
    with pytest.raises(RuntimeError, match=r"visibility timeout of Stack/Queue is 180 s in .* are 600 s"):
        app.synth()


def test_a_proxys_borrow_timeout_follows(
    stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
) -> None:
    function = VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, proxy=True, **code)
    override(function, "Timeout", 10)
    Template.from_stack(stack).has_resource_properties(
        "AWS::RDS::DBProxyTargetGroup", {"ConnectionPoolConfigurationInfo": {"ConnectionBorrowTimeout": 5}}
    )


@pytest.mark.parametrize(
    ("property_", "value", "found"),
    [("Runtime", "python3.12", "python3.12 on x86_64"), ("Architectures", ["arm64"], "python3.14 on arm64")],
)
def test_a_layer_of_another_python_or_architecture_is_refused(
    app: cdk.App, function: VpcDatabaseFunction, property_: str, value: Any, found: str
) -> None:
    override(function, property_, value)
    with pytest.raises(RuntimeError, match=rf"is for {found} in the template, .* built for python3.14 on x86_64"):
        app.synth()


def test_an_aspect_over_functions_of_either_make_is_noticed(
    app: cdk.App,
    stack: cdk.Stack,
    vpc: ec2.Vpc,
    database: rds.DatabaseInstance,
    function: VpcDatabaseFunction,
    code: dict[str, Any],
) -> None:
    elsewhere = lambda_.Function(stack, "Elsewhere", vpc=vpc, **code)
    Downstream.of(database).connect(elsewhere)
    cdk.Aspects.of(stack).add(Arm())
    with pytest.raises(RuntimeError) as caught:
        app.synth()
    for path in (function.node.path, elsewhere.node.path):
        assert f"{path}/Resource is for python3.14 on arm64 in the template" in str(caught.value)
