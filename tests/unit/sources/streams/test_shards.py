"""More shards than connections fail the synth."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_lambda as lambda_

from cdk_breakwater import BreakwaterError, ConnectionBudget, DecoupledInvocation, InvocationSource


class TestMoreShardsThanTheShare:
    def test_a_fixed_share(self, stack: cdk.Stack, code: dict[str, Any]) -> None:
        function = lambda_.Function(stack, "Small", **code)
        ConnectionBudget(stack, "Budget", max_connections=20).share("small", concurrency=3).limit(function)
        with pytest.raises(
            BreakwaterError,
            match=r"small: its share is fixed at concurrency=3.*at least 4: Stack/Clicks reads 4 shards.*concurrency=4",
        ):
            DecoupledInvocation(stack, "Clicks", function=function, source=InvocationSource.kinesis(shard_count=4))

    def test_a_reserved_concurrency(self, stack: cdk.Stack, code: dict[str, Any]) -> None:
        function = lambda_.Function(stack, "Small", reserved_concurrent_executions=7, **code)
        source = InvocationSource.kinesis(shard_count=4, parallelization_factor=2)
        with pytest.raises(
            BreakwaterError, match=r"Stack/Small: its reserved concurrency is 7.*at least 8.*4 shards, each with 2"
        ):
            DecoupledInvocation(stack, "Clicks", function=function, source=source)

    def test_a_budget_that_cannot_grant_them(self, app: cdk.App, stack: cdk.Stack, function: lambda_.Function) -> None:
        DecoupledInvocation(stack, "Clicks", function=function, source=InvocationSource.kinesis(shard_count=17))
        with pytest.raises(
            RuntimeError,
            match=r"Stack/Clicks\] 17 shards x parallelization factor 1 = 17 .*share of Stack/Worker .*fewer shards",
        ):
            app.synth()

    def test_a_function_that_reserves_nothing(
        self, app: cdk.App, stack: cdk.Stack, database: Any, vpc: Any, code: dict[str, Any]
    ) -> None:
        from cdk_breakwater import VpcDatabaseFunction

        function = VpcDatabaseFunction(stack, "Free", database=database, vpc=vpc, reserve_concurrency=False, **code)
        DecoupledInvocation(stack, "Clicks", function=function, source=InvocationSource.kinesis())
        with pytest.raises(RuntimeError, match="only reserved concurrency can limit"):
            app.synth()
