"""The REST API beneath a `ThrottledApi`."""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING, Any

from aws_cdk import Names, Stack
from aws_cdk import aws_apigateway as apigateway

from .._cdk.lazy import lazy_any
from .._cdk.log_groups import make_log_group
from .._cdk.nag import acknowledge, compliance_rules
from .._cdk.options import require_known_options
from ..errors import BreakwaterError
from .retry_after import refuse_politely
from .root_path import share_with_root

if TYPE_CHECKING:
    from aws_cdk import aws_lambda as lambda_
    from aws_cdk import aws_wafv2 as wafv2

    from .api import ThrottledApi
    from .throttle import Throttle

# A stage has settings for each of the verbs that ANY stands for, none for ANY.
_VERBS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")

# No texts of errors: nothing escapes them, a quote in one would make the line no JSON, and what counts refusals would
# pass it over. The execution log of a REST API has them.
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
    # 429 where Lambda refused, which the caller sees as a 500.
    # Source: API Gateway Developer Guide, "Variables for access logging for API Gateway": Lambda's own status.
    "integrationStatus": "$context.integration.status",
    "latencyMs": "$context.responseLatency",
    "integrationLatencyMs": "$context.integration.latency",
    "bytes": "$context.responseLength",
}


class ThrottledRestApi:
    """See `ThrottledApi`."""

    def __init__(
        self,
        scope: ThrottledApi,
        no_authorization: str | None,
        rate_limit_per_address: float | None,
        options: dict[str, Any],
    ) -> None:
        self._scope = scope
        require_known_options(scope, options, type(scope), apigateway.RestApi)
        self._routes: dict[tuple[str, str], Throttle] = {}
        self._methods: list[apigateway.Method] = []
        self._has_clients = False
        access_log = make_log_group(scope, "AccessLog")
        logged = _ACCESS_LOG if rate_limit_per_address is None else {**_ACCESS_LOG, "waf": "$context.wafResponseCode"}
        throttle = scope.throttle
        if scope.proxy:
            throttle, root = share_with_root(scope, throttle, derived=scope.derives_throttle)
            self._limit("ANY", "/", root)
        given = _given(options.pop("deploy_options", None), apigateway.StageOptions)
        _refuse_other_limits(scope, given)
        deploy_options: dict[str, Any] = {
            "throttling_rate_limit": throttle.rate_limit,
            "throttling_burst_limit": throttle.burst_limit,
            "access_log_destination": apigateway.LogGroupLogDestination(access_log),
            "access_log_format": apigateway.AccessLogFormat.custom(json.dumps(logged)),
            "logging_level": apigateway.MethodLoggingLevel.ERROR,
            "metrics_enabled": True,
            "tracing_enabled": True,
            **given,
        }
        authorization = apigateway.AuthorizationType.NONE if no_authorization else apigateway.AuthorizationType.IAM
        props: dict[str, Any] = {
            # CloudWatch tells REST APIs apart by name alone, and the L2 would call each of them "RestApi".
            "rest_api_name": Names.unique_resource_name(scope, max_length=128, separator="-"),
            "cloud_watch_role": True,
            "default_method_options": apigateway.MethodOptions(authorization_type=authorization),
            "endpoint_types": [apigateway.EndpointType.REGIONAL],
            **options,
        }
        # Not LambdaRestApi: one that proxies every path refuses further resources, and so routes of their own.
        self.api = apigateway.RestApi(
            scope,
            "RestApi",
            default_integration=_integration(scope.function),
            deploy_options=apigateway.StageOptions(**deploy_options),
            **props,
        )
        if scope.proxy:
            self._methods.append(self.api.root.add_method("ANY"))
            proxied = self.api.root.add_proxy(any_method=True)
            if proxied.any_method is not None:
                self._methods.append(proxied.any_method)
        domain = _given(options.get("domain_name"), apigateway.DomainNameOptions)
        self.url = f"https://{domain['domain_name']}/{domain.get('base_path', '')}" if domain else self.api.url
        self._validator = self.api.add_request_validator(
            "RequestValidator", validate_request_body=True, validate_request_parameters=True
        )
        cors = _given(options.get("default_cors_preflight_options"), apigateway.CorsOptions)
        refuse_politely(self.api, throttle.rate_limit, cors)
        self._share_method_settings()
        self.web_acl: wafv2.CfnWebACL | None = None
        if rate_limit_per_address is not None:
            from .waf_rate_rule import limit_addresses

            self.web_acl = limit_addresses(
                scope, self.api.deployment_stage, rate_limit_per_address, scope.throttle.rate_limit
            )
        _acknowledge(self.api, no_authorization, has_web_acl=self.web_acl is not None)

    def add_route(
        self,
        method: str,
        path: str,
        throttle: Throttle,
        function: lambda_.IFunction,
        *,
        request_schema: apigateway.JsonSchema | None,
        options: dict[str, Any],
    ) -> apigateway.Method:
        """See `ThrottledApi.add_route`."""
        require_known_options(self._scope, options, type(self._scope).add_route, apigateway.Resource.add_method)
        resource = self.api.root.resource_for_path(path)
        if request_schema is not None:
            options["request_models"] = {
                "application/json": apigateway.Model(
                    resource, f"{method}Model", rest_api=self.api, schema=request_schema
                ),
                **(options.get("request_models") or {}),
            }
        if options.keys() & {"request_models", "request_parameters"} and not options.get("request_validator_options"):
            options.setdefault("request_validator", self._validator)
        integration = options.pop("integration", None) or _integration(function)
        added = resource.add_method(method, integration, **options)
        self._methods.append(added)
        if self._has_clients:
            _ask_for_key(added)
        self._limit(method, path, throttle)
        return added

    def _limit(self, method: str, path: str, throttle: Throttle) -> None:
        for verb in _VERBS if method == "ANY" else (method,):
            self._routes[verb, path] = throttle

    def add_client(self, name: str, throttle: Throttle, quota: apigateway.QuotaSettings | None) -> apigateway.IApiKey:
        """See `ThrottledApi.add_client`."""
        if not self._has_clients:
            # A method that asks for no key lets a client pass by its own limits by leaving the key out.
            self._has_clients = True
            for method in self._methods:
                _ask_for_key(method)
        key = self.api.add_api_key(f"{name}Key")
        plan = self.api.add_usage_plan(
            f"{name}Plan",
            throttle=apigateway.ThrottleSettings(rate_limit=throttle.rate_limit, burst_limit=throttle.burst_limit),
            quota=quota,
            api_stages=[apigateway.UsagePlanPerApiStage(stage=self.api.deployment_stage)],
        )
        plan.add_api_key(key)
        return key

    def _share_method_settings(self) -> None:
        # A setting of a method replaces the stage's whole, it does not inherit: each route repeats logging and metrics.
        stage: Any = self.api.deployment_stage.node.default_child
        of_stage = stage.method_settings
        stage.method_settings = lazy_any(
            lambda: [
                *(resolved := Stack.of(self._scope).resolve(of_stage)),
                *({**resolved[0], **_setting(*route, throttle)} for route, throttle in self._routes.items()),
            ]
        )


def _setting(verb: str, path: str, throttle: Throttle) -> dict[str, Any]:
    return {
        "httpMethod": verb,
        # Slashes are written as ~1, after one that isn't. Source: CloudFormation Template Reference,
        # AWS::ApiGateway::Stage MethodSetting.
        "resourcePath": "/" if path == "/" else "/" + path.replace("/", "~1"),
        "throttlingRateLimit": throttle.rate_limit,
        "throttlingBurstLimit": throttle.burst_limit,
    }


def _integration(function: lambda_.IFunction) -> apigateway.LambdaIntegration:
    # One statement for all methods of the API: with two for each, 40 routes exceed the 20 KB of a function's policy.
    # Source: AWS Lambda Developer Guide, "Lambda quotas".
    return apigateway.LambdaIntegration(function, scope_permission_to_method=False)


def _refuse_other_limits(api: ThrottledApi, deploy_options: dict[str, Any]) -> None:
    """Refuse limits of the L2's that would win against those that are given or derived."""
    methods = deploy_options.get("method_options") or {}
    others = [name for name in ("throttling_rate_limit", "throttling_burst_limit") if deploy_options.get(name)]
    others += [
        f"method_options[{path!r}]"
        for path, method in methods.items()
        if getattr(method, "throttling_rate_limit", None) or getattr(method, "throttling_burst_limit", None)
    ]
    if others:
        raise BreakwaterError(
            api,
            f"deploy_options has {', '.join(others)}, which would win against the limits that follow from the share.",
            "Give rate_limit and burst_limit to the API, and those of a method to add_route.",
        )


def _ask_for_key(method: apigateway.Method) -> None:
    resource: Any = method.node.default_child
    resource.api_key_required = True


def _given(value: Any, struct: type) -> dict[str, Any]:
    if value is None or isinstance(value, dict):
        return dict(value or {})
    names = inspect.signature(struct).parameters
    return {name: found for name in names if (found := getattr(value, name)) is not None}


def _acknowledge(api: apigateway.RestApi, no_authorization: str | None, *, has_web_acl: bool) -> None:
    if no_authorization:
        acknowledge(api, no_authorization, "AwsSolutions-APIG4")
    acknowledge(
        api,
        "Callers are authorized by IAM, by the app's own authorizer, or by nobody for an acknowledged reason; a user "
        "pool is one choice among them.",
        "AwsSolutions-COG4",
    )
    if not has_web_acl:
        acknowledge(
            api,
            "Which requests a web ACL lets through, and its price, is the app's choice; the limits here hold without "
            "one.",
            "AwsSolutions-APIG3",
            *compliance_rules("APIGWAssociatedWithWAF"),
        )
    acknowledge(
        api,
        "A cache would serve one caller's answer to another; what may be cached is the app's knowledge.",
        *compliance_rules("APIGWCacheEnabledAndEncrypted"),
    )
    acknowledge(
        api,
        "The backend is a Lambda function, invoked through AWS's own authenticated API; client certificates are for "
        "HTTP backends.",
        *compliance_rules("APIGWSSLEnabled"),
    )
    acknowledge(
        api,
        "The managed policy that API Gateway prescribes for its account-wide logging role.",
        "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs]",
    )
