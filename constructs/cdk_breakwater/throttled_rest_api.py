"""The REST API beneath a `ThrottledApi`."""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING, Any

from aws_cdk import Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_logs as logs

from .acknowledgements import acknowledge
from .lazy import lazy_any

if TYPE_CHECKING:
    from aws_cdk import aws_lambda as lambda_

    from .throttle import Throttle
    from .throttled_api import ThrottledApi

# A token bucket refills every second. A spent quota comes back with its day, week or month, which a gateway response
# cannot tell: an hour keeps a client from hammering.
_REFUSALS = (
    ("Throttled", apigateway.ResponseType.THROTTLED, 1),
    ("QuotaExceeded", apigateway.ResponseType.QUOTA_EXCEEDED, 3600),
)

_ACCESS_LOG = {
    "requestId": "$context.requestId",
    "requestTime": "$context.requestTime",
    "sourceIp": "$context.identity.sourceIp",
    "apiKeyId": "$context.identity.apiKeyId",
    "caller": "$context.identity.caller",
    "method": "$context.httpMethod",
    "resource": "$context.resourcePath",
    "status": "$context.status",
    # THROTTLED, QUOTA_EXCEEDED, ACCESS_DENIED, …: why a request was refused.
    "refusal": "$context.error.responseType",
    "message": "$context.error.message",
    "latencyMs": "$context.responseLatency",
    "integrationLatencyMs": "$context.integration.latency",
    "bytes": "$context.responseLength",
}


class ThrottledRestApi:
    """See `ThrottledApi`."""

    def __init__(
        self, scope: ThrottledApi, function: lambda_.IFunction, throttle: Throttle, options: dict[str, Any]
    ) -> None:
        self._scope = scope
        self._routes: list[dict[str, Any]] = []
        access_log = logs.LogGroup(scope, "AccessLog", retention=logs.RetentionDays.ONE_MONTH)
        deploy_options = apigateway.StageOptions(
            **{
                "throttling_rate_limit": throttle.rate_limit,
                "throttling_burst_limit": throttle.burst_limit,
                "access_log_destination": apigateway.LogGroupLogDestination(access_log),
                "access_log_format": apigateway.AccessLogFormat.custom(json.dumps(_ACCESS_LOG)),
                "logging_level": apigateway.MethodLoggingLevel.ERROR,
                "metrics_enabled": True,
                "tracing_enabled": True,
                **_given(options.pop("deploy_options", None)),
            }
        )
        proxy = options.pop("proxy", True)
        # Not LambdaRestApi: one that proxies every path refuses further resources, and so routes of their own.
        self.api = apigateway.RestApi(
            scope,
            "RestApi",
            default_integration=apigateway.LambdaIntegration(function),
            deploy_options=deploy_options,
            **{"cloud_watch_role": True, "endpoint_types": [apigateway.EndpointType.REGIONAL], **options},
        )
        if proxy:
            self.api.root.add_method("ANY")
            self.api.root.add_proxy(any_method=True)
        self.url = self.api.url
        self.api.add_request_validator("RequestValidator", validate_request_body=True, validate_request_parameters=True)
        self._refuse_politely()
        self._share_method_settings()
        _acknowledge(self.api, access_log)

    def add_route(
        self, method: str, path: str, throttle: Throttle, function: lambda_.IFunction, options: dict[str, Any]
    ) -> None:
        """See `ThrottledApi.add_route`."""
        resource = self.api.root.resource_for_path(path)
        resource.add_method(method, apigateway.LambdaIntegration(function), **options)
        self._routes.append(
            {
                "httpMethod": "*" if method == "ANY" else method,
                # A slash within a path is written as ~1. Source: API Gateway API Reference, UpdateStage.
                "resourcePath": "/" + path[1:].replace("/", "~1"),
                "throttlingRateLimit": throttle.rate_limit,
                "throttlingBurstLimit": throttle.burst_limit,
            }
        )

    def add_client(self, name: str, throttle: Throttle, quota: apigateway.QuotaSettings | None) -> apigateway.IApiKey:
        """See `ThrottledApi.add_client`."""
        key = self.api.add_api_key(f"{name}Key")
        plan = self.api.add_usage_plan(
            f"{name}Plan",
            throttle=apigateway.ThrottleSettings(rate_limit=throttle.rate_limit, burst_limit=throttle.burst_limit),
            quota=quota,
            api_stages=[apigateway.UsagePlanPerApiStage(stage=self.api.deployment_stage)],
        )
        plan.add_api_key(key)
        return key

    def _refuse_politely(self) -> None:
        for name, response_type, seconds in _REFUSALS:
            self.api.add_gateway_response(
                name,
                type=response_type,
                status_code="429",
                response_headers={"Retry-After": f"'{seconds}'"},
                templates={"application/json": '{"message": $context.error.messageString}'},
            )

    def _share_method_settings(self) -> None:
        # A setting of a method replaces the stage's whole, it does not inherit: each route repeats logging and metrics.
        stage: Any = self.api.deployment_stage.node.default_child
        of_stage = stage.method_settings
        stage.method_settings = lazy_any(
            lambda: [
                *(resolved := Stack.of(self._scope).resolve(of_stage)),
                *({**resolved[0], **route} for route in self._routes),
            ]
        )


def _given(options: apigateway.StageOptions | dict[str, Any] | None) -> dict[str, Any]:
    if options is None or isinstance(options, dict):
        return dict(options or {})
    return {
        name: value
        for name in inspect.signature(apigateway.StageOptions).parameters
        if (value := getattr(options, name)) is not None
    }


def _acknowledge(api: apigateway.RestApi, access_log: logs.LogGroup) -> None:
    acknowledge(
        access_log,
        "CloudWatch Logs encrypts at rest with a key of its own.",
        "HIPAA.Security-CloudWatchLogGroupEncrypted",
        "NIST.800.53.R5-CloudWatchLogGroupEncrypted",
        "PCI.DSS.321-CloudWatchLogGroupEncrypted",
    )
