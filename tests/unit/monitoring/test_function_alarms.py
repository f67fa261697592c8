"""A function's concurrency against its share."""

from __future__ import annotations

import json
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds

from breakwater_runtime import metrics as runtime
from cdk_breakwater import BreakwaterError, DataApiFunction, DecoupledInvocation, VpcDatabaseFunction
from cdk_breakwater.budgets.runtime_metrics import COUNTERS, SERVER_CONNECTIONS
from cdk_breakwater.monitoring.alarms import NAMESPACE

from .templates import alarms, bodies, limits, widgets


@pytest.fixture
def functions(
    stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
) -> dict[str, VpcDatabaseFunction]:
    """Shares of 60, of 15 without a reservation, and of 5, of the 80 connections shared."""
    common = {"database": database, "vpc": vpc, **code}
    return {
        "Orders": VpcDatabaseFunction(stack, "Orders", share_weight=4, **common),
        "Reports": VpcDatabaseFunction(stack, "Reports", reserve_concurrency=False, **common),
        "Nightly": VpcDatabaseFunction(stack, "Nightly", concurrency=5, **common),
    }


def test_thresholds_are_the_shares(stack: cdk.Stack, functions: dict[str, VpcDatabaseFunction]) -> None:
    made = {name: function.alarms() for name, function in functions.items()}
    found = alarms(stack)
    assert [len(alarms) for alarms in made.values()] == [3, 3, 3]
    at_its_share = found["Orders/Alarms/Concurrency"]
    assert at_its_share["Threshold"] == 60
    assert at_its_share["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    assert (at_its_share["EvaluationPeriods"], at_its_share["Period"]) == (15, 60)
    assert at_its_share["Statistic"] == "Maximum"
    assert "60" in at_its_share["AlarmDescription"]
    assert found["Nightly/Alarms/Concurrency"]["Threshold"] == 5
    # Without a reservation the share can be exceeded, and that is what matters.
    exceeded = found["Reports/Alarms/Concurrency"]
    assert (exceeded["Threshold"], exceeded["ComparisonOperator"]) == (15, "GreaterThanThreshold")
    assert exceeded["EvaluationPeriods"] == 1
    errors = found["Orders/Alarms/Errors"]
    assert (errors["MetricName"], errors["Statistic"], errors["Threshold"]) == ("Errors", "Sum", 1)
    assert (errors["DatapointsToAlarm"], errors["EvaluationPeriods"]) == (3, 5)
    throttles = found["Orders/Alarms/Throttles"]
    assert (throttles["MetricName"], throttles["Threshold"]) == ("Throttles", 1)
    assert (throttles["DatapointsToAlarm"], throttles["EvaluationPeriods"]) == (3, 5)
    assert all(alarm["TreatMissingData"] == "notBreaching" for alarm in found.values())


def test_widgets_show_share_timeout_and_the_runtimes_counters(
    stack: cdk.Stack, functions: dict[str, VpcDatabaseFunction]
) -> None:
    cloudwatch.Dashboard(stack, "Dashboard").add_widgets(*functions["Orders"].widgets())
    (body,) = bodies(stack)
    found = widgets(body)
    assert limits(found["Stack/Orders: concurrency"]) == {"share": 60}
    assert limits(found["Stack/Orders: duration"]) == {"timeout": 30_000}
    shown = found["Stack/Orders: connections"]["metrics"]
    assert {row[0] for row in shown} == {"Breakwater"}
    assert [row[1] for row in shown] == [*COUNTERS, SERVER_CONNECTIONS]
    assert shown[0][2:4] == ["Downstream", "postgresql"]
    assert shown[0][4] == "FunctionName"


def test_the_runtime_writes_what_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    counters = runtime.Counters("postgresql", on=True)
    counters.connects = 1
    counters.server_connections, counters.server_max_connections = 5, 100
    counters.flush(None)
    (directive,) = json.loads(capsys.readouterr().out)["_aws"]["CloudWatchMetrics"]
    written = {metric["Name"] for metric in directive["Metrics"]}
    assert {*COUNTERS, SERVER_CONNECTIONS} <= written
    assert directive["Namespace"] == NAMESPACE
    assert directive["Dimensions"] == [["FunctionName", "Downstream"]]


def test_a_function_that_writes_no_metrics_shows_none(
    stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance
) -> None:
    code = lambda_.Code.from_inline("exports.handler = async () => 1")
    node = VpcDatabaseFunction(
        stack,
        "Node",
        database=database,
        vpc=vpc,
        code=code,
        handler="index.handler",
        runtime=lambda_.Runtime.NODEJS_22_X,
    )
    assert len(node.widgets()) == 2


@pytest.mark.parametrize("reserved", [None, 7])
def test_the_data_api_takes_no_share(
    stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any], reserved: int | None
) -> None:
    cluster = rds.DatabaseCluster(
        stack,
        "Aurora",
        engine=rds.DatabaseClusterEngine.aurora_postgres(version=rds.AuroraPostgresEngineVersion.VER_16_6),
        writer=rds.ClusterInstance.serverless_v2("Writer"),
        vpc=vpc,
        storage_encrypted=True,
    )
    function = DataApiFunction(stack, "Data", cluster=cluster, reserved_concurrent_executions=reserved, **code)
    function.alarms()
    found = alarms(stack)
    assert "Data/Alarms/Throttles" in found
    if reserved is None:
        assert "Data/Alarms/Concurrency" not in found
    else:
        assert found["Data/Alarms/Concurrency"]["Threshold"] == reserved
    assert len(function.widgets()) == 2


def test_behind_a_queue_the_share_is_there_to_be_used_up(
    stack: cdk.Stack, functions: dict[str, VpcDatabaseFunction]
) -> None:
    for name in ("Orders", "Reports"):
        DecoupledInvocation(stack, f"{name}Jobs", function=functions[name])
        functions[name].alarms()
    found = {path for path in alarms(stack) if path.startswith(("Orders/", "Reports/"))}
    # Unreserved, it can still be exceeded.
    assert found == {
        "Orders/Alarms/Errors",
        "Orders/Alarms/Throttles",
        "Reports/Alarms/Errors",
        "Reports/Alarms/Throttles",
        "Reports/Alarms/Concurrency",
    }


def test_alarms_twice_is_an_error(functions: dict[str, VpcDatabaseFunction]) -> None:
    functions["Orders"].alarms()
    with pytest.raises(BreakwaterError, match="Stack/Orders: alarms\\(\\) was called before"):
        functions["Orders"].alarms()
