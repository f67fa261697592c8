"""The HTTP API beneath a `ThrottledApi`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

from aws_cdk import aws_apigatewayv2 as apigatewayv2
from aws_cdk.aws_apigatewayv2_authorizers import HttpIamAuthorizer
from aws_cdk.aws_apigatewayv2_integrations import HttpLambdaIntegration

from .._cdk.lazy import lazy_any
from .._cdk.log_groups import make_log_group
from .._cdk.nag import acknowledge
from .._cdk.options import require_known_options
from ..errors import BreakwaterError

if TYPE_CHECKING:
    from aws_cdk import aws_lambda as lambda_

    from .api import ThrottledApi
    from .throttle import Throttle

# No texts of errors: nothing escapes them, a quote in one would make the line no JSON, and what counts refusals would
# pass it over. The execution log of a REST API has them.
_ACCESS_LOG = {
    "requestId": "$context.requestId",
    "requestTime": "$context.requestTime",
    "sourceIp": "$context.identity.sourceIp",
    "route": "$context.routeKey",
    "status": "$context.status",
    "refusal": "$context.error.responseType",
    # Lambda's own: 429 where it refused, which the caller sees as an error of the server's.
    "integrationStatus": "$context.integration.status",
    "latencyMs": "$context.responseLatency",
    "integrationLatencyMs": "$context.integrationLatency",
    "bytes": "$context.responseLength",
}


class ThrottledHttpApi:
    """See `ThrottledApi`."""

    def __init__(self, scope: ThrottledApi, no_authorization: str | None, options: dict[str, Any]) -> None:
        require_known_options(scope, options, type(scope), apigatewayv2.HttpApi)
        self._scope = scope
        self._route_settings: dict[str, Any] = {}
        # The L2 refuses a domain for an API whose stage it does not make.
        domain_mapping = options.pop("default_domain_mapping", None)
        props: dict[str, Any] = {
            "create_default_stage": False,
            "default_authorizer": None if no_authorization else HttpIamAuthorizer(),
            **options,
        }
        if scope.proxy:
            props["default_integration"] = _integration("Integration", scope.function)
        self.api = apigatewayv2.HttpApi(scope, "HttpApi", **props)
        access_log = make_log_group(scope, "AccessLog")
        self._stage = apigatewayv2.HttpStage(
            scope,
            "Stage",
            http_api=self.api,
            auto_deploy=True,
            detailed_metrics_enabled=True,
            domain_mapping=domain_mapping,
            throttle=apigatewayv2.ThrottleSettings(
                rate_limit=scope.throttle.rate_limit, burst_limit=scope.throttle.burst_limit
            ),
        )
        resource: Any = self._stage.node.default_child
        resource.access_log_settings = apigatewayv2.CfnStage.AccessLogSettingsProperty(
            destination_arn=access_log.log_group_arn, format=json.dumps(_ACCESS_LOG)
        )
        resource.route_settings = lazy_any(lambda: self._route_settings or None)
        self.url = self._stage.domain_url if domain_mapping else self._stage.url
        if no_authorization:
            acknowledge(self.api, no_authorization, "AwsSolutions-APIG4")
        elif scope.proxy and options.get("cors_preflight"):
            self._let_preflights_in()

    def _let_preflights_in(self) -> None:
        # $default takes OPTIONS as well, and asks for a signature that a browser's preflight never bears.
        # Source: API Gateway Developer Guide, "Configure CORS for HTTP APIs": $default route and an authorizer.
        for path in ("/", "/{proxy+}"):
            for route in self.api.add_routes(
                path=path,
                methods=[apigatewayv2.HttpMethod.OPTIONS],
                integration=_integration("Preflight", self._scope.function),
                authorizer=apigatewayv2.HttpNoneAuthorizer(),
            ):
                acknowledge(
                    route,
                    "A preflight bears no credentials, and API Gateway answers it by the CORS configuration.",
                    "AwsSolutions-APIG4",
                )

    def add_route(
        self,
        method: str,
        path: str,
        throttle: Throttle,
        function: lambda_.IFunction,
        *,
        request_schema: object | None,
        options: dict[str, Any],
    ) -> apigatewayv2.HttpRoute:
        """See `ThrottledApi.add_route`."""
        require_known_options(self._scope, options, type(self._scope).add_route, apigatewayv2.HttpApi.add_routes)
        if request_schema is not None:
            raise BreakwaterError(
                self._scope,
                f"{method} {path} cannot have a request_schema: an HTTP API validates no requests.",
                "Use protocol=ApiProtocol.REST, or validate in the function.",
            )
        routes = self.api.add_routes(
            path=path,
            methods=[apigatewayv2.HttpMethod[method]],
            integration=options.pop("integration", None) or _integration(f"{method}{path}", function),
            **options,
        )
        self._route_settings[f"{method} {path}"] = {
            "ThrottlingRateLimit": throttle.rate_limit,
            "ThrottlingBurstLimit": throttle.burst_limit,
            "DetailedMetricsEnabled": True,
        }
        # A stage with settings for a route that is not there yet is refused.
        self._stage.node.add_dependency(*routes)
        (route,) = routes
        return route

    def add_client(self, name: str, throttle: Throttle, quota: object) -> NoReturn:
        """Refuse: HTTP APIs have neither API keys nor usage plans."""
        raise BreakwaterError(
            self._scope,
            f"the client {name!r} (rate {throttle.rate_limit}, quota {quota}) cannot be told from others: an HTTP API "
            "has neither API keys nor usage plans.",
            "Use protocol=ApiProtocol.REST.",
        )


def _integration(id: str, function: lambda_.IFunction) -> HttpLambdaIntegration:
    # One statement for all routes of the API: the function's policy takes 20 KB.
    return HttpLambdaIntegration(id, function, scope_permission_to_route=False)
