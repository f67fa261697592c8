"""An HTTP endpoint before a function, that refuses politely what the function's share cannot take."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, cast

import jsii
from aws_cdk import Annotations, Duration
from constructs import Construct, IValidation

from .errors import BreakwaterError
from .function_concurrency import FunctionConcurrency
from .lazy import lazy_number
from .throttle import Throttle

if TYPE_CHECKING:
    from aws_cdk import aws_apigateway as apigateway
    from aws_cdk import aws_apigatewayv2 as apigatewayv2
    from aws_cdk import aws_lambda as lambda_

    from .throttled_rest_api import ThrottledRestApi


class ApiProtocol(Enum):
    """The kind of API in API Gateway."""

    REST = "REST"
    HTTP = "HTTP"


class ThrottledApi(Construct):
    """An API before a function, throttled to what the function's share of its database can serve.

    By default every path and method reaches the function. A request beyond the limits gets 429, from a REST API with
    `Retry-After`. API Gateway's limits are targets, not ceilings (API Gateway Developer Guide, "Throttle requests to
    your REST APIs"): the function's reserved concurrency is the ceiling.

    Parameters
    ----------
    scope, id
        Where it stands in the construct tree.
    function
        Who answers.
    expected_duration
        How long one request takes. The rate is then the share's concurrency divided by it (Little's law).
    rate_limit
        Requests per second in steady state instead, above 0.
    burst_limit
        Requests at once above the rate, 1 or more. Default: the function's concurrency; without one, the rate.
    acknowledge_no_authorization
        Why everyone may call it. Without it, and without an authorizer in `default_method_options` (REST) or
        `default_authorizer` (HTTP), callers must sign their requests (IAM). The reason becomes that of the
        acknowledged cdk-nag rule.
    protocol
        Default: a REST API, since HTTP APIs have neither API keys nor a response of their own for 429.
    **options
        Every other prop of `apigateway.RestApi` or `apigatewayv2.HttpApi`. Defaults that differ, REST: a Regional
        endpoint, access logs, tracing, metrics, request validation, and the account's CloudWatch role
        (`cloud_watch_role`), without which a first deployment of logs fails.

    Attributes
    ----------
    rest_api : apigateway.RestApi or None
        The API beneath, for REST.
    http_api : apigatewayv2.HttpApi or None
        The API beneath, for HTTP.
    url : str
        Where it answers.

    Raises
    ------
    BreakwaterError
        When neither a rate nor a duration is given, a limit is a token or not above 0, or a rate shall be derived for a
        function without a concurrency.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        function: lambda_.IFunction | lambda_.Function,
        expected_duration: Duration | None = None,
        rate_limit: float | None = None,
        burst_limit: int | None = None,
        acknowledge_no_authorization: str | None = None,
        protocol: ApiProtocol = ApiProtocol.REST,
        **options: Any,
    ) -> None:
        super().__init__(scope, id)
        # jsii's Function is no IFunction in the eyes of a type checker.
        self.function = cast("lambda_.IFunction", function)
        self.throttle = self._throttle(self.function, expected_duration, rate_limit, burst_limit)
        self.protocol = protocol
        if acknowledge_no_authorization is not None and not acknowledge_no_authorization.strip():
            raise BreakwaterError(self, "acknowledge_no_authorization is empty.", "Say why everyone may call the API.")
        self.rest_api: apigateway.RestApi | None = None
        self.http_api: apigatewayv2.HttpApi | None = None
        if protocol is ApiProtocol.REST:
            from .throttled_rest_api import ThrottledRestApi

            self._api: ThrottledRestApi | Any = ThrottledRestApi(self, acknowledge_no_authorization, options)
            self.rest_api = self._api.api
        else:
            from .throttled_http_api import ThrottledHttpApi

            self._api = ThrottledHttpApi(self, acknowledge_no_authorization, options)
            self.http_api = self._api.api
        self.url: str = self._api.url

    def add_route(
        self,
        method: str,
        path: str,
        *,
        rate_limit: float,
        burst_limit: int | None = None,
        function: lambda_.IFunction | lambda_.Function | None = None,
        **options: Any,
    ) -> None:
        """Give a route limits of its own, within the API's.

        Parameters
        ----------
        method
            `GET`, `POST`, …, or `ANY`.
        path
            From the root, such as `/reports`.
        rate_limit
            Requests per second, above 0.
        burst_limit
            Requests at once, 1 or more. Default: the rate.
        function
            Who answers. Default: the API's function.
        **options
            Every other option of `Resource.add_method` (REST) or `HttpApi.add_routes` (HTTP).

        Raises
        ------
        BreakwaterError
            When a limit is a token or not above 0, or the path does not start with a slash.
        """
        if not path.startswith("/"):
            raise BreakwaterError(self, f"the path of a route starts with a slash (given {path!r}).", f"'/{path}'?")
        throttle = Throttle.given(self, f"{method} {path}", rate_limit, burst_limit)
        self._api.add_route(
            method.upper(), path, throttle, cast("lambda_.IFunction", function or self.function), options
        )

    def add_client(
        self,
        name: str,
        *,
        rate_limit: float,
        burst_limit: int | None = None,
        quota: apigateway.QuotaSettings | None = None,
    ) -> apigateway.IApiKey:
        """Make an API key with a usage plan for one client; from then on the API asks everyone for a key.

        API keys identify, they do not authenticate (API Gateway Developer Guide, "Usage plans and API keys"): use an
        authorizer for that.

        Parameters
        ----------
        name
            The client's.
        rate_limit
            Requests per second, above 0.
        burst_limit
            Requests at once, 1 or more. Default: the rate.
        quota
            Requests per day, week or month. Default: none.

        Raises
        ------
        BreakwaterError
            When a limit is a token or not above 0, or the API is an HTTP API, which knows no clients.
        """
        throttle = Throttle.given(self, f"client {name!r}", rate_limit, burst_limit)
        return self._api.add_client(name, throttle, quota)

    def _throttle(
        self,
        function: lambda_.IFunction,
        expected_duration: Duration | None,
        rate_limit: float | None,
        burst_limit: int | None,
    ) -> Throttle:
        concurrency = FunctionConcurrency.of(function)
        if concurrency is None:
            if rate_limit is None:
                raise BreakwaterError(
                    self,
                    f"a rate shall be derived, and {function.node.path} has no share and no reserved concurrency.",
                    "Give rate_limit=…, or use VpcDatabaseFunction or share.limit(function).",
                )
            Annotations.of(self).add_warning_v2(
                "cdk-breakwater:unreserved-function",
                f"API Gateway's limits are targets, not ceilings, and {function.node.path} has no reserved "
                "concurrency to hold the line.",
            )
        if rate_limit is not None:
            throttle = Throttle.given(self, "the API", rate_limit, burst_limit, concurrency)
            if expected_duration is not None and concurrency is not None:
                self.node.add_validation(_LittlesLaw(self, concurrency, rate_limit, expected_duration))
            return throttle
        if expected_duration is None or concurrency is None:
            raise BreakwaterError(
                self,
                "neither rate_limit nor expected_duration is given.",
                "Give expected_duration=Duration.millis(…), and the rate follows from the function's share.",
            )
        if expected_duration.is_unresolved() or expected_duration.to_milliseconds() <= 0:
            raise BreakwaterError(
                self, f"expected_duration must be a known time above 0 (given {expected_duration}).", ""
            )
        seconds = expected_duration.to_milliseconds() / 1000
        if burst_limit is not None:
            burst_limit = Throttle.given(self, "the API", 1, burst_limit).burst_limit
        return Throttle(
            rate_limit=lazy_number(lambda: concurrency.resolve() / seconds),
            burst_limit=lazy_number(concurrency.resolve) if burst_limit is None else burst_limit,
        )


@jsii.implements(IValidation)
class _LittlesLaw:
    def __init__(
        self, api: ThrottledApi, concurrency: FunctionConcurrency, rate_limit: float, duration: Duration
    ) -> None:
        self._api = api
        self._concurrency = concurrency
        self._rate_limit = rate_limit
        self._seconds = duration.to_milliseconds() / 1000

    def validate(self) -> list[str]:
        granted = self._concurrency.resolve()
        if self._rate_limit * self._seconds > granted:
            Annotations.of(self._api).add_warning_v2(
                "cdk-breakwater:rate-above-share",
                f"{self._rate_limit:g} requests per second of {self._seconds:g} s each need a concurrency of "
                f"{self._rate_limit * self._seconds:g} (Little's law), and the function's is {granted}: the rest is "
                f"throttled by Lambda. A rate of {granted / self._seconds:g} fits.",
            )
        return []
