"""Who connects: aliases, functions made elsewhere, those without reserved concurrency, and sources of every kind."""

from __future__ import annotations

from collections.abc import Callable

import aws_cdk as cdk
import pytest
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds

from cdk_breakwater import ConnectionBudget, DecoupledInvocation, InvocationSource, VpcDatabaseFunction

from .conftest import Templates, code, database_in, stack_in, vpc_in

Synthesize = Callable[[], Templates]


@pytest.fixture
def app(request: pytest.FixtureRequest) -> cdk.App:
    """A new account's quota where the test is about one."""
    return cdk.App(context={"account_concurrency": 10} if "new_account" in request.node.name else {})


@pytest.fixture
def database(app: cdk.App) -> rds.DatabaseInstance:
    return database_in(vpc_in(stack_in(app, "Shop")))


def test_an_alias_with_provisioned_concurrency(database: rds.DatabaseInstance, synthesized: Synthesize) -> None:
    stack = cdk.Stack.of(database)
    function = VpcDatabaseFunction(stack, "Orders", database=database, vpc=database.vpc, **code())
    alias = lambda_.Alias(
        stack, "Live", alias_name="live", version=function.current_version, provisioned_concurrent_executions=10
    )
    DecoupledInvocation(stack, "Jobs", function=alias)
    template = synthesized()["Shop"]
    mapping = template.one("AWS::Lambda::EventSourceMapping")
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": 80}
    assert "live" in str(mapping["FunctionName"])


def test_functions_made_elsewhere_and_a_script(database: rds.DatabaseInstance, synthesized: Synthesize) -> None:
    stack = cdk.Stack.of(database)
    budget = ConnectionBudget.of(database, external_connections=10)
    budget.share("existing").limit(lambda_.Function(stack, "Existing", **code()))
    budget.share("a script on ECS", concurrency=4)
    VpcDatabaseFunction(stack, "Orders", database=database, vpc=database.vpc, **code())
    # (112 - 12 - 10) x 0.8 = 72, less 4 of the script: 34 for each, of which the existing one needs two at a time
    assert synthesized()["Shop"].concurrency == [17, 34]


def test_a_new_account_that_reserves_nothing(
    app: cdk.App, database: rds.DatabaseInstance, synthesized: Synthesize
) -> None:
    stack = cdk.Stack.of(database)
    function = VpcDatabaseFunction(
        stack, "Orders", database=database, vpc=database.vpc, reserve_concurrency=False, **code()
    )
    DecoupledInvocation(stack, "Jobs", function=function)
    template = synthesized()["Shop"]
    assert template.concurrency == []
    assert template.one("AWS::Lambda::EventSourceMapping")["ScalingConfig"] == {"MaximumConcurrency": 80}


def test_queue_stream_and_table_on_one_function(database: rds.DatabaseInstance, synthesized: Synthesize) -> None:
    stack = cdk.Stack.of(database)
    function = VpcDatabaseFunction(stack, "Orders", database=database, vpc=database.vpc, **code())
    DecoupledInvocation(stack, "Jobs", function=function, source=InvocationSource.sqs())
    DecoupledInvocation(stack, "Clicks", function=function, source=InvocationSource.kinesis(shard_count=4))
    mappings = synthesized()["Shop"].all("AWS::Lambda::EventSourceMapping").values()
    queue, stream = sorted(mappings, key=lambda mapping: "ScalingConfig" not in mapping)
    parts = queue["ScalingConfig"]["MaximumConcurrency"] + 4 * stream["ParallelizationFactor"]
    assert parts <= 80
