"""What a throttled API shows and when it calls for help: what it refuses against its rate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from aws_cdk import Names, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_logs as logs

from .._cdk.lazy import lazy_number, lazy_string
from ..errors import BreakwaterError
from ..monitoring.alarms import ABOVE, NAMESPACE, PERIOD, graph, make_alarm, make_alarms
from ..monitoring.function_errors import errors_alarm

if TYPE_CHECKING:
    from constructs import Construct

    from ..monitoring.alarm_target import AlarmTarget
    from .api import ThrottledApi

_LONG = 5
"""Minutes. A burst that the bucket refuses once is over by then."""
_SLOW = 15
"""Minutes."""
_TOLERATED = 0.1
"""What may be refused, as a part of what the rate lets in."""


def api_alarms(api: ThrottledApi, seconds: float | None, topic_or_action: AlarmTarget | None) -> list[cloudwatch.Alarm]:
    """Make the alarms of an API; see `ThrottledApi.alarms`."""
    path = api.node.path

    def make(scope: Construct) -> list[cloudwatch.Alarm]:
        refused = make_alarm(
            scope,
            "Refused",
            _refused(api),
            threshold=lazy_number(lambda: max(1, _per_minute(api) * _TOLERATED)),
            minutes=_LONG,
            description=lazy_string(
                lambda: (
                    f"For {_LONG} minutes, {path} has answered 429 to more than a tenth of the "
                    f"{_per_minute(api):g} requests per minute that its rate allows. The field refusal in the access "
                    "log shows which limit refused them. Raise the function's share, or put a queue in front of it."
                )
            ),
        )
        failed = make_alarm(
            scope,
            "ServerErrors",
            _failed(api),
            threshold=1,
            minutes=3,
            of_minutes=5,
            description=f"{path} has answered 5xx in three of five minutes: the function fails or times out, or Lambda "
            "throttles it. The field integrationStatus in the access log then shows 429.",
        )
        alarms = [refused, failed, *errors_alarm(scope, api.function)]
        if seconds is None:
            return alarms
        function = api.function.node.path
        slow = make_alarm(
            scope,
            "Slow",
            api.function.metric_duration(statistic="avg", period=PERIOD),
            threshold=seconds * 1000,
            comparison_operator=ABOVE,
            minutes=_SLOW,
            description=f"{function} has taken longer than the expected {seconds:g} s for {_SLOW} minutes. At the full "
            "rate, more requests run at once than its share allows, and Lambda throttles it. Correct "
            "expected_duration.",
        )
        return [*alarms, slow]

    return make_alarms(api, make, topic_or_action)


def api_widgets(api: ThrottledApi, seconds: float | None) -> list[cloudwatch.IWidget]:
    """Return the widgets of an API; see `ThrottledApi.widgets`."""
    path = api.node.path
    return [
        graph(
            f"{path}: requests",
            # Its number of samples is the number of requests, see the source of these metrics.
            [_metric(api, "Count", "n", "requests"), _refused(api)],
            limits=[("rate", lazy_number(lambda: _per_minute(api)))],
            unit="per minute",
            right=[_failed(api)],
            right_unit="5xx",
        ),
        graph(
            f"{path}: latency",
            [_metric(api, "Latency", "avg", "average"), _metric(api, "Latency", "p99", "p99")],
            limits=[] if seconds is None else [("expected duration", seconds * 1000)],
            unit="ms",
        ),
    ]


def _per_minute(api: ThrottledApi) -> float:
    return float(Stack.of(api).resolve(api.throttle.rate_limit)) * PERIOD.to_seconds()


def _metric(api: ThrottledApi, name: str, statistic: str, label: str) -> cloudwatch.Metric:
    # Sources: API Gateway Developer Guide, "Amazon API Gateway dimensions and metrics", and "Monitor CloudWatch metrics
    # for HTTP APIs".
    if api.http_api is not None:
        return api.http_api.metric(name, statistic=statistic, period=PERIOD, label=label)
    return cloudwatch.Metric(
        namespace="AWS/ApiGateway",
        metric_name=name,
        dimensions_map={"ApiName": _rest(api).rest_api_name, "Stage": _rest(api).deployment_stage.stage_name},
        statistic=statistic,
        period=PERIOD,
        label=label,
    ).attach_to(api)


def _failed(api: ThrottledApi) -> cloudwatch.Metric:
    return _metric(api, "5XXError" if api.rest_api is not None else "5xx", "sum", "5xx")


def _rest(api: ThrottledApi) -> Any:
    return api.rest_api


def _refused(api: ThrottledApi) -> cloudwatch.Metric:
    """Return the number of 429s, which CloudWatch counts among all 4xx, from the access log."""
    found = api.node.try_find_child("Refused")
    if found is None:
        found = logs.MetricFilter(
            api,
            "Refused",
            log_group=_access_log(api),
            filter_pattern=logs.FilterPattern.string_value("$.status", "=", "429"),
            metric_namespace=NAMESPACE,
            # No dimension: one takes its value from the log, and the metric is then missing where nothing is refused.
            metric_name=f"{Names.unique_resource_name(api, max_length=200)}Refused",
            metric_value="1",
            default_value=0,
        )
    return cast("logs.MetricFilter", found).metric(statistic="sum", period=PERIOD, label="429")


def _access_log(api: ThrottledApi) -> logs.ILogGroup:
    access_log = cast("logs.LogGroup", api.node.find_child("AccessLog"))
    if api.rest_api is not None:
        resource: Any = api.rest_api.deployment_stage.node.default_child
        stack = Stack.of(api)
        setting = stack.resolve(resource._cfn_properties.get("accessLogSetting")) or {}
        if setting.get("destinationArn") != stack.resolve(access_log.log_group_arn):
            raise BreakwaterError(
                api,
                "its access log goes elsewhere (deploy_options), so nothing here counts what it refuses.",
                "Leave out access_log_destination and access_log_format, or make the alarms by hand.",
            )
    return cast("logs.ILogGroup", access_log)
