"""What an API refuses against its rate; how long its function takes against what was expected."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk.assertions import Template

from cdk_breakwater import ApiProtocol, BreakwaterError, ConnectionBudget, ThrottledApi
from cdk_breakwater.limits.erlang import safe_load

from .templates import alarms, bodies, limits, metrics_of_alarm, metrics_of_graph, widgets


@pytest.fixture
def function(stack: cdk.Stack, code: dict[str, Any]) -> lambda_.Function:
    """A share of 16."""
    function = lambda_.Function(stack, "Worker", **code)
    ConnectionBudget(stack, "Budget", max_connections=20).share("worker").limit(function, overlap=False)
    return function


def test_thresholds_are_the_rate_and_the_duration(stack: cdk.Stack, function: lambda_.Function) -> None:
    api = ThrottledApi(stack, "Api", function=function, expected_duration=cdk.Duration.millis(200))
    api.alarms()
    cloudwatch.Dashboard(stack, "Dashboard").add_widgets(*api.widgets())
    found = alarms(stack)
    refused = found["Api/Alarms/Refused"]
    # 10.57 of 16 / 0.2 s = 52.9 requests per second = 3,171 per minute, of which a tenth
    per_minute = 60 * safe_load(16) / 0.2
    assert refused["Threshold"] == pytest.approx(per_minute / 10)
    assert refused["EvaluationPeriods"] == 5
    failed = found["Api/Alarms/ServerErrors"]
    assert metrics_of_alarm(failed) == {("AWS/ApiGateway", "5XXError", ("ApiName", "Stage"))}
    assert (failed["Threshold"], failed["DatapointsToAlarm"], failed["EvaluationPeriods"]) == (1, 3, 5)
    assert found["Api/Alarms/Errors"]["MetricName"] == "Errors"
    slow = found["Api/Alarms/Slow"]
    assert (slow["MetricName"], slow["Statistic"], slow["Threshold"]) == ("Duration", "Average", 200)
    assert (slow["ComparisonOperator"], slow["EvaluationPeriods"]) == ("GreaterThanThreshold", 15)
    shown = widgets(bodies(stack)[0])
    assert limits(shown["Stack/Api: requests"]) == {"rate": pytest.approx(per_minute)}
    assert limits(shown["Stack/Api: latency"]) == {"expected duration": 200}


def test_429s_come_from_the_access_log(stack: cdk.Stack, function: lambda_.Function) -> None:
    api = ThrottledApi(stack, "Api", function=function, rate_limit=0.1)
    api.alarms()
    cloudwatch.Dashboard(stack, "Dashboard").add_widgets(*api.widgets())
    template = Template.from_stack(stack)
    (counted,) = template.find_resources("AWS::Logs::MetricFilter").values()
    assert counted["Properties"]["FilterPattern"] == '{ $.status = "429" }'
    (log_group,) = (name for name in template.find_resources("AWS::Logs::LogGroup") if "AccessLog" in name)
    assert counted["Properties"]["LogGroupName"] == {"Ref": log_group}
    (transformation,) = counted["Properties"]["MetricTransformations"]
    # What the log calls status is a string.
    (stage,) = template.find_resources("AWS::ApiGateway::Stage").values()
    assert '"status": "$context.status"' in stage["Properties"]["AccessLogSetting"]["Format"]
    refused = alarms(stack)["Api/Alarms/Refused"]
    assert metrics_of_alarm(refused) == {("Breakwater", transformation["MetricName"], ())}
    assert refused["Threshold"] == 1  # a tenth of 6 per minute would be less than one


def test_cloudwatch_can_tell_two_rest_apis_apart(stack: cdk.Stack, function: lambda_.Function) -> None:
    apis = [ThrottledApi(stack, name, function=function, rate_limit=5) for name in ("One", "Two")]
    named = ThrottledApi(stack, "Three", function=function, rate_limit=5, rest_api_name="orders")
    cloudwatch.Dashboard(stack, "Dashboard").add_widgets(*(w for api in [*apis, named] for w in api.widgets()))
    names = [
        api["Properties"]["Name"]
        for api in Template.from_stack(stack).find_resources("AWS::ApiGateway::RestApi").values()
    ]
    assert len(set(names)) == 3
    assert "RestApi" not in names
    assert "orders" in names
    shown = widgets(bodies(stack)[0])
    rows = [row for row in shown["Stack/One: latency"]["metrics"] if row[1] == "Latency"]
    assert all(row[3] in names for row in rows)


def test_http(stack: cdk.Stack, function: lambda_.Function) -> None:
    api = ThrottledApi(stack, "Api", function=function, rate_limit=50, protocol=ApiProtocol.HTTP)
    api.alarms()
    cloudwatch.Dashboard(stack, "Dashboard").add_widgets(*api.widgets())
    assert {path: alarm["Threshold"] for path, alarm in alarms(stack).items()} == {
        "Api/Alarms/Refused": 300,
        "Api/Alarms/ServerErrors": 1,
        "Api/Alarms/Errors": 1,
    }
    shown = widgets(bodies(stack)[0])
    found = metrics_of_graph(shown["Stack/Api: requests"])
    assert {("AWS/ApiGateway", "Count", ("ApiId",)), ("AWS/ApiGateway", "5xx", ("ApiId",))} <= found
    Template.from_stack(stack).resource_count_is("AWS::Logs::MetricFilter", 1)


def test_an_access_log_of_ones_own_is_not_read(stack: cdk.Stack, function: lambda_.Function) -> None:
    group = logs.LogGroup(stack, "Log")
    options = apigateway.StageOptions(access_log_destination=apigateway.LogGroupLogDestination(group))
    api = ThrottledApi(stack, "Api", function=function, rate_limit=5, deploy_options=options)
    with pytest.raises(BreakwaterError, match="Stack/Api: its access log goes elsewhere"):
        api.alarms()
