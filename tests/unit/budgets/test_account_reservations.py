"""An account's concurrency is a pool as the connections are: weights share it, fixed parts must fit."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds
from aws_cdk.assertions import Annotations, Match, Template

from cdk_breakwater import ConnectionBudget, VpcDatabaseFunction
from tests.unit.databases import POSTGRESQL

BINDS = "The account's concurrency limits the shares, and not the databases: "


@pytest.fixture
def large(stack: cdk.Stack, vpc: ec2.Vpc) -> rds.DatabaseInstance:
    """An r6g.large: 1582 connections estimated, 1256 shared, more than any new account runs."""
    return rds.DatabaseInstance(
        stack, "Large", engine=POSTGRESQL, vpc=vpc, instance_type=ec2.InstanceType("r6g.large"), storage_encrypted=True
    )


def reserved(stack: cdk.Stack) -> dict[str, int]:
    functions = Template.from_stack(stack).find_resources("AWS::Lambda::Function")
    return {
        name[:-8]: body["Properties"]["ReservedConcurrentExecutions"]
        for name, body in functions.items()
        if "ReservedConcurrentExecutions" in body["Properties"]
    }


def test_a_large_database_synthesizes(
    stack: cdk.Stack, vpc: ec2.Vpc, large: rds.DatabaseInstance, code: dict[str, Any]
) -> None:
    orders = VpcDatabaseFunction(stack, "Orders", database=large, vpc=vpc, **code)
    assert reserved(stack) == {"Orders": 900}
    assert orders.share.granted > 900
    assert "the account's concurrency binds" in orders.share.reason
    Annotations.from_stack(stack).has_warning(
        "/Stack/Large/ConnectionBudget",
        Match.string_like_regexp(f"{BINDS}Stack/Orders 900 of {orders.share.granted}"),
    )


def test_what_small_databases_leave_goes_to_large_ones(
    stack: cdk.Stack, vpc: ec2.Vpc, large: rds.DatabaseInstance, database: rds.DatabaseInstance, code: dict[str, Any]
) -> None:
    VpcDatabaseFunction(stack, "Orders", database=large, vpc=vpc, share_weight=2, **code)
    VpcDatabaseFunction(stack, "Search", database=large, vpc=vpc, **code)
    VpcDatabaseFunction(stack, "Nightly", database=large, vpc=vpc, concurrency=100, **code)
    VpcDatabaseFunction(stack, "Small", database=database, vpc=vpc, **code)
    lambda_.Function(stack, "Other", reserved_concurrent_executions=20, **code)
    # 900 - 20 of others - 100 fixed - 80 that the small database grants = 700, two to one
    assert reserved(stack) == {"Orders": 467, "Search": 233, "Nightly": 100, "Small": 80, "Other": 20}


def test_a_fixed_part_that_does_not_fit_fails(
    app: cdk.App, stack: cdk.Stack, vpc: ec2.Vpc, large: rds.DatabaseInstance, code: dict[str, Any]
) -> None:
    VpcDatabaseFunction(stack, "Orders", database=large, vpc=vpc, concurrency=901, **code)
    with pytest.raises(RuntimeError, match=r"1 function reserves a concurrency of 901 .* can reserve 900"):
        app.synth()


def test_accounts_are_pools_of_their_own(app: cdk.App, code: dict[str, Any]) -> None:
    for account in ("111111111111", "222222222222"):
        stack = cdk.Stack(app, f"In{account}", env=cdk.Environment(account=account, region="eu-central-1"))
        for number in range(2):
            budget = ConnectionBudget(stack, f"Budget{number}", max_connections=800, utilization=1)
            function = lambda_.Function(stack, f"Function{number}", **code)
            budget.share("worker").limit(function, overlap=False)
    for name in ("In111111111111", "In222222222222"):
        stack = app.node.find_child(name)
        assert isinstance(stack, cdk.Stack)
        assert reserved(stack) == {"Function0": 450, "Function1": 450}


def test_a_function_of_two_databases_is_one_holder(
    stack: cdk.Stack, vpc: ec2.Vpc, large: rds.DatabaseInstance, code: dict[str, Any]
) -> None:
    archive = rds.DatabaseInstance(
        stack,
        "Archive",
        engine=POSTGRESQL,
        vpc=vpc,
        instance_type=ec2.InstanceType("r6g.large"),
        storage_encrypted=True,
    )
    both = VpcDatabaseFunction(stack, "Both", database=large, vpc=vpc, **code)
    share = both.add_database("archive", database=archive)
    assert reserved(stack) == {"Both": 900}
    assert share.resolve() == both.share.resolve() == 900


@pytest.mark.parametrize(("most", "guarded", "said"), [(451, False, True), (450, False, False), (451, True, False)])
def test_what_the_account_cannot_hold_twice_is_named(
    stack: cdk.Stack, code: dict[str, Any], most: int, guarded: bool, said: bool
) -> None:
    budget = ConnectionBudget(stack, "Budget", max_connections=2000, guard_deployments=guarded)
    budget.share("orders", concurrency=most).limit(lambda_.Function(stack, "Orders", **code), overlap=False)
    found = Annotations.from_stack(stack).find_info(
        "*", Match.string_like_regexp("more than half of the 900 that the account can reserve: orders 451")
    )
    assert len(found) == said
