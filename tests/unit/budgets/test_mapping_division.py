"""Who takes part: aliases and versions, provisioned concurrency, managed instances, and the rest of the account."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds
from aws_cdk.assertions import Annotations, Match, Template

from cdk_breakwater import BreakwaterError, ConnectionBudget, ConnectionShare, DecoupledInvocation, VpcDatabaseFunction
from cdk_breakwater.budgets.mapping_division import FunctionConcurrency


@pytest.fixture
def budget(stack: cdk.Stack) -> ConnectionBudget:
    """100 connections, 80 shared; 40 environments for a function whose environments overlap."""
    return ConnectionBudget(stack, "Budget", max_connections=100)


def live(function: lambda_.Function, **options: Any) -> lambda_.Alias:
    return lambda_.Alias(
        cdk.Stack.of(function),
        f"{function.node.id}Live",
        alias_name="live",
        version=function.current_version,
        **options,
    )


class TestAlias:
    def test_stands_for_its_function(self, stack: cdk.Stack, budget: ConnectionBudget, code: dict[str, Any]) -> None:
        function = lambda_.Function(stack, "Function", **code)
        alias = live(function)
        share = budget.share("worker")
        share.limit(alias)
        assert share.function is function
        for qualified in (function, alias, function.current_version):
            assert ConnectionShare.of(qualified) is share
            assert FunctionConcurrency.of(qualified) is FunctionConcurrency.of(function)
        Template.from_stack(stack).has_resource_properties(
            "AWS::Lambda::Function", {"ReservedConcurrentExecutions": 40}
        )

    def test_of_another_app(self, stack: cdk.Stack, budget: ConnectionBudget) -> None:
        version = lambda_.Version.from_version_arn(
            stack, "Version", "arn:aws:lambda:eu-central-1:123456789012:function:theirs:7"
        )
        with pytest.raises(BreakwaterError, match="it is imported, so its reserved concurrency belongs to another app"):
            budget.share("worker").limit(version)

    def test_reads_a_queue(
        self, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
    ) -> None:
        function = VpcDatabaseFunction(
            stack, "Orders", database=database, vpc=vpc, timeout=cdk.Duration.seconds(20), **code
        )
        DecoupledInvocation(stack, "Jobs", function=live(function))
        template = Template.from_stack(stack)
        template.has_resource_properties(
            "AWS::Lambda::EventSourceMapping",
            {
                "FunctionName": {"Fn::Join": ["", Match.array_with([":live"])]},
                "ScalingConfig": {"MaximumConcurrency": 80},
            },
        )
        template.has_resource_properties("AWS::SQS::Queue", {"VisibilityTimeout": 120})


class TestProvisioned:
    def test_within_the_share(
        self, app: cdk.App, stack: cdk.Stack, budget: ConnectionBudget, code: dict[str, Any]
    ) -> None:
        function = lambda_.Function(stack, "Function", **code)
        budget.share("worker").limit(live(function, provisioned_concurrent_executions=40))
        app.synth()

    def test_beyond_it_on_aliases_and_versions_together(
        self, app: cdk.App, stack: cdk.Stack, budget: ConnectionBudget, code: dict[str, Any]
    ) -> None:
        function = lambda_.Function(
            stack, "Function", current_version_options={"provisioned_concurrent_executions": 30}, **code
        )
        other = cdk.Stack(app, "Other", env=cdk.Environment(account="123456789012", region="eu-central-1"))
        lambda_.CfnAlias(
            other,
            "Alias",
            name="blue",
            function_name=function.function_name,
            function_version="7",
            provisioned_concurrency_config=lambda_.CfnAlias.ProvisionedConcurrencyConfigurationProperty(
                provisioned_concurrent_executions=11
            ),
        )
        assert function.current_version
        budget.share("worker").limit(function)
        with pytest.raises(RuntimeError) as failure:
            app.synth()
        assert "worker: its aliases and versions have a provisioned concurrency of 41, and its share is 40" in str(
            failure.value
        )
        assert "Provision 40 or less" in str(failure.value)

    def test_the_most_that_auto_scaling_provisions(
        self, app: cdk.App, stack: cdk.Stack, budget: ConnectionBudget, code: dict[str, Any]
    ) -> None:
        function = lambda_.Function(stack, "Function", **code)
        alias = live(function, provisioned_concurrent_executions=2)
        alias.add_auto_scaling(max_capacity=41)
        budget.share("worker").limit(alias)
        with pytest.raises(RuntimeError, match="have a provisioned concurrency of 41, and its share is 40"):
            app.synth()

    def test_of_other_functions_is_their_own_affair(
        self, app: cdk.App, stack: cdk.Stack, budget: ConnectionBudget, code: dict[str, Any]
    ) -> None:
        budget.share("worker").limit(lambda_.Function(stack, "Function", **code))
        live(lambda_.Function(stack, "Other", **code), provisioned_concurrent_executions=500)
        app.synth()


class TestManagedInstances:
    @pytest.fixture
    def provider(self, stack: cdk.Stack, vpc: ec2.Vpc) -> lambda_.CapacityProvider:
        group = ec2.SecurityGroup(stack, "Group", vpc=vpc)
        return lambda_.CapacityProvider(stack, "Provider", subnets=vpc.private_subnets, security_groups=[group])

    def test_environments_times_requests_stay_within_the_share(
        self, stack: cdk.Stack, budget: ConnectionBudget, code: dict[str, Any], provider: lambda_.CapacityProvider
    ) -> None:
        function = lambda_.Function(stack, "Function", **code)
        provider.add_function(function, per_execution_environment_max_concurrency=7)
        share = budget.share("worker")
        share.limit(function, overlap=False)
        Template.from_stack(stack).has_resource_properties(
            "AWS::Lambda::Function",
            {
                "FunctionScalingConfig": {"MaxExecutionEnvironments": 11, "MinExecutionEnvironments": 3},
                "ReservedConcurrentExecutions": Match.absent(),
            },
        )
        assert 11 * 7 <= share.resolve() == 80

    def test_fewer_than_the_three_that_are_started(
        self, stack: cdk.Stack, budget: ConnectionBudget, code: dict[str, Any], provider: lambda_.CapacityProvider
    ) -> None:
        function = lambda_.Function(stack, "Function", **code)
        provider.add_function(function, per_execution_environment_max_concurrency=10)
        budget.share("worker", concurrency=25).limit(function)
        Template.from_stack(stack).has_resource_properties(
            "AWS::Lambda::Function",
            {"FunctionScalingConfig": {"MaxExecutionEnvironments": 2, "MinExecutionEnvironments": 2}},
        )

    def test_a_share_below_one_environment(
        self, stack: cdk.Stack, budget: ConnectionBudget, code: dict[str, Any], provider: lambda_.CapacityProvider
    ) -> None:
        function = lambda_.Function(stack, "Function", **code)
        provider.add_function(function, per_execution_environment_max_concurrency=10)
        with pytest.raises(BreakwaterError, match=r"fixed at concurrency=9, and it needs at least 10: 10 requests per"):
            budget.share("worker", concurrency=9).limit(function)

    def test_requests_per_environment_that_nobody_gave(
        self, stack: cdk.Stack, budget: ConnectionBudget, code: dict[str, Any], provider: lambda_.CapacityProvider
    ) -> None:
        function = lambda_.Function(stack, "Function", **code)
        provider.add_function(function)
        with pytest.raises(BreakwaterError, match=r"is not known \(given None\)\. Pass a number: capacity_provider\."):
            budget.share("worker").limit(function)

    def test_a_maximum_of_its_own(
        self, stack: cdk.Stack, budget: ConnectionBudget, code: dict[str, Any], provider: lambda_.CapacityProvider
    ) -> None:
        function = lambda_.Function(stack, "Function", **code)
        provider.add_function(
            function,
            per_execution_environment_max_concurrency=2,
            latest_published_scaling_config=lambda_.LatestPublishedScalingConfig(max_execution_environments=9),
        )
        with pytest.raises(BreakwaterError, match="it has MaxExecutionEnvironments=9 already"):
            budget.share("worker").limit(function)

    @pytest.mark.parametrize("maximum", [None, 4])
    def test_a_version_that_scales_apart(
        self,
        app: cdk.App,
        stack: cdk.Stack,
        budget: ConnectionBudget,
        code: dict[str, Any],
        provider: lambda_.CapacityProvider,
        maximum: int | None,
    ) -> None:
        function = lambda_.Function(stack, "Function", **code)
        provider.add_function(function, per_execution_environment_max_concurrency=10)
        budget.share("worker").limit(function)
        lambda_.Version(stack, "Version", lambda_=function, max_execution_environments=maximum)
        if maximum is not None:
            app.synth()
            return
        with pytest.raises(RuntimeError, match=r"its version Stack/Version/Resource scales apart from \$LATEST"):
            app.synth()


class TestAccount:
    @pytest.mark.parametrize("context", [{"account_concurrency": 200}])
    def test_functions_without_a_share_count_as_well(
        self, app: cdk.App, stack: cdk.Stack, budget: ConnectionBudget, code: dict[str, Any]
    ) -> None:
        budget.share("worker", concurrency=40).limit(lambda_.Function(stack, "Function", **code))
        lambda_.Function(stack, "Other", reserved_concurrent_executions=61, **code)
        with pytest.raises(RuntimeError, match=r"2 functions reserve a concurrency of 101 in aws://123456789012"):
            app.synth()

    @pytest.mark.parametrize("context", [{"account_concurrency": 182}])
    def test_below_half_nothing(self, stack: cdk.Stack, budget: ConnectionBudget, code: dict[str, Any]) -> None:
        budget.share("worker").limit(lambda_.Function(stack, "Function", **code))
        Annotations.from_stack(stack).has_no_warning("*", Match.string_like_regexp("reserves? a concurrency"))

    @pytest.mark.parametrize("context", [{"account_concurrency": 180}])
    def test_from_half_on_a_warning(self, stack: cdk.Stack, budget: ConnectionBudget, code: dict[str, Any]) -> None:
        budget.share("worker").limit(lambda_.Function(stack, "Function", **code))
        Annotations.from_stack(stack).has_warning(
            "/Stack/Budget", Match.string_like_regexp("1 function reserves a concurrency of 40 .* can reserve 80")
        )

    @pytest.mark.parametrize("context", [{"account_concurrency": 180}])
    def test_stages_without_an_environment_count_apart(self, app: cdk.App, code: dict[str, Any]) -> None:
        for name in ("Beta", "Prod"):
            stack = cdk.Stack(cdk.Stage(app, name), "Stack")
            budget = ConnectionBudget(stack, "Budget", max_connections=100)
            budget.share("worker").limit(lambda_.Function(stack, "Function", **code), overlap=False)
        app.synth()
