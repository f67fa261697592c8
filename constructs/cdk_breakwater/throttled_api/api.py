"""An HTTP endpoint in front of a function, which refuses what the function's share cannot serve."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Literal, cast

from constructs import Construct

from .._cdk.arguments import DURATION, FLAG, FUNCTION, TEXT, Kind, require
from ..errors import BreakwaterError
from ..limits.api_gateway import HTTP_TIMEOUT_SECONDS, REST_TIMEOUT_SECONDS
from ..monitoring.dashboard_page import show_with
from .route_limits import THE_API, RouteLimits
from .throttle import Throttle

if TYPE_CHECKING:
    from aws_cdk import Duration
    from aws_cdk import aws_apigateway as apigateway
    from aws_cdk import aws_apigatewayv2 as apigatewayv2
    from aws_cdk import aws_cloudwatch as cloudwatch
    from aws_cdk import aws_lambda as lambda_
    from aws_cdk import aws_wafv2 as wafv2
    from typing_extensions import Unpack

    from .._cdk.parameter_types import Function
    from ..monitoring.alarm_target import AlarmTarget
    from .http_api import ThrottledHttpApi
    from .options import ApiOptions, RouteOptions
    from .rest_api import ThrottledRestApi


class ApiProtocol(Enum):
    """The kind of API in API Gateway."""

    REST = "REST"
    """A REST API, with API keys, request validation, limits by IP address, and `Retry-After` beside 429."""
    HTTP = "HTTP"
    """An HTTP API, which has none of these, and costs less per request."""


_ARGUMENTS = {
    "function": FUNCTION,
    "expected_duration": DURATION,
    "acknowledge_no_authorization": TEXT,
    "proxy": FLAG,
}
_ROUTE_ARGUMENTS = {"method": TEXT, "path": TEXT, "expected_duration": DURATION, "function": FUNCTION}
_METHODS = ("ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")


def _is_quota(value: object) -> bool:
    return isinstance(value, dict) or hasattr(value, "period")


_QUOTA = Kind("an apigateway.QuotaSettings", _is_quota)
_LONGEST_SECONDS = {ApiProtocol.REST: REST_TIMEOUT_SECONDS, ApiProtocol.HTTP: HTTP_TIMEOUT_SECONDS}


class ThrottledApi(Construct):
    """An API in front of functions, throttled to what their shares of a database can serve.

    By default, requests for every path and method reach the function. A request beyond the limits gets 429, from a REST
    API with `Retry-After`. API Gateway's limits are targets, not ceilings (API Gateway Developer Guide, "Throttle
    requests to your REST APIs"). The functions' reserved concurrency is the ceiling. Rates that need more than that
    (Little's law) are reported at synth.

    Parameters
    ----------
    scope, id
        The parent construct, and the id of this one within it.
    function
        The function that answers the requests.
    expected_duration
        Average time to serve one request, at most the function's timeout and the 29 s that API Gateway waits (30 s for
        HTTP). The rate is derived from it and from the share's concurrency, less what routes with given rates need. It
        is chosen so that Lambda refuses at most one in a hundred of the requests that the API lets in
        (`limits.erlang`).
    rate_limit
        Requests per second in steady state, above 0, instead of a derived rate.
    burst_limit
        Requests at once above the rate, 1 or more. Default: what the rates of all routes leave of the function's
        concurrency, divided evenly, and no more than the rate. If the duration is unknown, half of that.
    refuse
        With "early", the API answers 429 to requests for which the function might have no concurrency left. With
        "late", the derived rate and burst are the most that the function can serve at best. Lambda then refuses
        requests beyond its concurrency, and they get 503. Default "early".
    rate_limit_per_address
        Requests per second from one IP address, 0.0167 to 33 million, beyond which AWS WAF answers 429 with
        `Retry-After`. REST only. Default: no web ACL, because a web ACL has a price.
    acknowledge_no_authorization
        The reason why everyone may call the API. Without a reason, and without an authorizer in
        `default_method_options` (REST) or `default_authorizer` (HTTP), callers must sign their requests (IAM). The
        acknowledgement of the cdk-nag rule gets the same reason.
    proxy
        Whether requests for paths and methods without a route of their own reach the function. Default True.
    protocol
        The kind of API. Default: a REST API, because HTTP APIs have neither API keys nor a custom response for 429.
    **options
        Every other prop of `apigateway.RestApi` or `apigatewayv2.HttpApi`, such as `default_cors_preflight_options`
        and `domain_name`, or `cors_preflight` and `default_domain_mapping`. Defaults that differ, REST: a Regional
        endpoint, access logs, tracing, metrics, request validation, and the account's CloudWatch role
        (`cloud_watch_role`), without which a first deployment of logs fails.

    Attributes
    ----------
    rest_api : apigateway.RestApi or None
        The underlying API, for REST.
    http_api : apigatewayv2.HttpApi or None
        The underlying API, for HTTP.
    web_acl : wafv2.CfnWebACL or None
        The web ACL that limits requests by IP address.
    url : str
        The URL of the API.

    Raises
    ------
    BreakwaterError
        When neither a rate nor a duration is given, when a limit is a token or out of range, when a rate should be
        derived for a function without reserved concurrency, or when `rate_limit_per_address` is given for an HTTP API.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        function: Function,
        expected_duration: Duration | None = None,
        rate_limit: float | None = None,
        burst_limit: int | None = None,
        rate_limit_per_address: float | None = None,
        refuse: Literal["early", "late"] = "early",
        acknowledge_no_authorization: str | None = None,
        proxy: bool = True,
        protocol: ApiProtocol | Literal["REST", "HTTP"] = ApiProtocol.REST,
        **options: Unpack[ApiOptions],
    ) -> None:
        super().__init__(scope, id)
        given = {
            "function": function,
            "expected_duration": expected_duration,
            "acknowledge_no_authorization": acknowledge_no_authorization,
            "proxy": proxy,
        }
        require(self, given, _ARGUMENTS, needed=("function", "proxy"))
        # jsii's Function is no IFunction in the eyes of a type checker.
        self.function = cast("lambda_.IFunction", function)
        show_with(self, self.function)
        self.protocol = protocol = _protocol(self, protocol)
        self.proxy = proxy
        # What reaches everything else, in a REST API; an HTTP API has $default for that.
        self._names: set[str] = {"ANY /{proxy+}"} if proxy and protocol is ApiProtocol.REST else set()
        if refuse not in ("early", "late"):
            raise BreakwaterError(self, f"refuse={refuse!r} is unknown.", 'It is "early" or "late".')
        self._limits = RouteLimits(self, late=refuse == "late", longest=_LONGEST_SECONDS[protocol])
        self._seconds = self._limits.seconds(expected_duration)
        self.throttle = self._limits.throttle(
            THE_API, self.function, self._seconds, rate_limit, burst_limit, counts=proxy
        )
        self.derives_throttle = rate_limit is None
        if acknowledge_no_authorization is not None and not acknowledge_no_authorization.strip():
            raise BreakwaterError(self, "acknowledge_no_authorization is empty.", "Say why everyone may call the API.")
        self.rest_api: apigateway.RestApi | None = None
        self.http_api: apigatewayv2.HttpApi | None = None
        self.web_acl: wafv2.CfnWebACL | None = None
        if protocol is ApiProtocol.REST:
            from .rest_api import ThrottledRestApi

            self._api: ThrottledRestApi | ThrottledHttpApi = ThrottledRestApi(
                self, acknowledge_no_authorization, rate_limit_per_address, {**options}
            )
            self.rest_api, self.web_acl = self._api.api, self._api.web_acl
        else:
            from .http_api import ThrottledHttpApi

            if rate_limit_per_address is not None:
                raise BreakwaterError(
                    self,
                    f"rate_limit_per_address={rate_limit_per_address} cannot hold: AWS WAF protects no HTTP API.",
                    "Use protocol=ApiProtocol.REST, or CloudFront with a web ACL of its own before this API.",
                )
            self._api = ThrottledHttpApi(self, acknowledge_no_authorization, {**options})
            self.http_api = self._api.api
        self.url: str = self._api.url

    @staticmethod
    def limit(
        api: apigateway.RestApi | apigateway.SpecRestApi | apigatewayv2.HttpApi,
        *,
        function: Function,
        expected_duration: Duration | None = None,
        rate_limit: float | None = None,
        burst_limit: int | None = None,
        refuse: Literal["early", "late"] = "early",
    ) -> None:
        """Throttle an existing API to what its function's share can serve.

        Only the stage's settings change. API Gateway applies a stage's limits to each method separately. Therefore
        derived limits are divided among the API's methods, while given limits apply to each method. Methods with limits
        of their own keep them.

        Parameters
        ----------
        api
            A REST API, or an HTTP API with its default stage. An API from an OpenAPI definition (`SpecRestApi`) needs
            `rate_limit`.
        function
            The function that answers the requests.
        expected_duration, rate_limit, burst_limit, refuse
            As for the class.

        Raises
        ------
        BreakwaterError
            When the API is imported, when it has no stage of its own, when the stage already has limits, and as for the
            class.
        """
        from aws_cdk import aws_apigatewayv2 as apigatewayv2

        from .existing_api import limit_existing_api

        given = {"function": function, "expected_duration": expected_duration}
        require(api, given, {name: _ARGUMENTS[name] for name in given}, needed=("function",))
        protocol = ApiProtocol.HTTP if isinstance(api, apigatewayv2.HttpApi) else ApiProtocol.REST
        limits = RouteLimits(cast("Construct", api), late=refuse == "late", longest=_LONGEST_SECONDS[protocol])
        throttle = limits.throttle(
            THE_API,
            cast("lambda_.IFunction", function),
            limits.seconds(expected_duration),
            rate_limit,
            burst_limit,
        )
        limit_existing_api(api, throttle, derived=rate_limit is None)

    def add_route(
        self,
        method: str,
        path: str,
        *,
        rate_limit: float | None = None,
        burst_limit: int | None = None,
        expected_duration: Duration | None = None,
        function: Function | None = None,
        request_schema: apigateway.JsonSchema | None = None,
        **options: Unpack[RouteOptions],
    ) -> apigateway.Method | apigatewayv2.HttpRoute:
        """Add a route with limits of its own, and with a function of its own if you pass one.

        Parameters
        ----------
        method
            `GET`, `POST`, …, or `ANY`.
        path
            Path from the root, such as `/reports`.
        rate_limit
            Requests per second, above 0. Default: derived from the function's concurrency and the expected duration.
            Routes of one function without a given rate divide evenly what routes with a given rate leave.
        burst_limit
            Requests at once, 1 or more. Default: as for the API.
        expected_duration
            Average time to serve one request. Default: the API's, if the route uses the API's function.
        function
            The function that answers the requests. Default: the API's function.
        request_schema
            JSON schema of the body. Requests with another body get 400 and cost no invocation. REST only. Default: any
            body.
        **options
            Every other option of `Resource.add_method` (REST) or `HttpApi.add_routes` (HTTP), such as an `integration`
            with something other than a function.

        Returns
        -------
        apigateway.Method or apigatewayv2.HttpRoute
            The method of a REST API, or the route of an HTTP API.

        Raises
        ------
        BreakwaterError
            When a limit is a token or not above 0, when the path doesn't start with a slash, when a rate should be
            derived without a duration or reserved concurrency, or when `request_schema` is given for an HTTP API.
        """
        given = {"method": method, "path": path, "expected_duration": expected_duration, "function": function}
        require(self, given, _ROUTE_ARGUMENTS, needed=("method", "path"))
        if not path.startswith("/"):
            raise BreakwaterError(self, f"the path of a route starts with a slash (given {path!r}).", f"'/{path}'?")
        target = cast("lambda_.IFunction", function or self.function)
        seconds = self._limits.seconds(expected_duration)
        if seconds is None and target is self.function:
            seconds = self._seconds
        method = method.upper()
        if method not in _METHODS:
            raise BreakwaterError(self, f"method is {method!r}.", f"Give one of {', '.join(_METHODS)}.")
        what = f"{method} {path}"
        self._name_once(what)
        if options.get("integration") is None:
            throttle = self._limits.throttle(what, target, seconds, rate_limit, burst_limit)
        elif rate_limit is not None:
            throttle = Throttle.given(self, what, rate_limit, burst_limit)
        else:
            raise BreakwaterError(
                self,
                f"{what} has an integration of its own, and no function to derive a rate from.",
                "Give rate_limit=….",
            )
        return self._api.add_route(method, path, throttle, target, request_schema=request_schema, options={**options})

    def add_client(
        self,
        name: str,
        *,
        rate_limit: float,
        burst_limit: int | None = None,
        quota: apigateway.QuotaSettings | None = None,
    ) -> apigateway.IApiKey:
        """Create an API key with a usage plan for one client. From then on, every request needs an API key.

        API keys identify clients, but don't authenticate them (API Gateway Developer Guide, "Usage plans and API
        keys"). Use an authorizer for authentication.

        Parameters
        ----------
        name
            Name of the client.
        rate_limit
            Requests per second, above 0.
        burst_limit
            Requests at once, 1 or more. Default: the rate.
        quota
            Requests per day, week or month. Default: none.

        Raises
        ------
        BreakwaterError
            When a limit is a token or not above 0, or when the API is an HTTP API, which has no API keys.
        """
        require(self, {"name": name, "quota": quota}, {"name": TEXT, "quota": _QUOTA}, needed=("name",))
        throttle = Throttle.given(self, f"client {name!r}", rate_limit, burst_limit)
        self._name_once(f"client {name!r}")
        return self._api.add_client(name, throttle, quota)

    def _name_once(self, what: str) -> None:
        if what in self._names:
            raise BreakwaterError(self, f"it has {what} already.", "Give it once, with all of its limits.")
        self._names.add(what)

    def alarms(self, topic_or_action: AlarmTarget | None = None) -> list[cloudwatch.Alarm]:
        """Add alarms, once: a tenth of the rate is refused in addition to it; 5xx; the function fails or is slow.

        A metric filter on the access log counts the 429s.

        Parameters
        ----------
        topic_or_action
            The topic or the action of each alarm. Default: none. The alarms are then visible in the console only.

        Raises
        ------
        BreakwaterError
            When the access log has another destination than this library's log group.
        """
        from .alarms import api_alarms

        return api_alarms(self, self._seconds, topic_or_action)

    def widgets(self) -> list[cloudwatch.IWidget]:
        """Return dashboard widgets: requests and 429s against the rate, latency against the expected duration.

        A REST API without a name gets one, because CloudWatch distinguishes REST APIs by name only.
        """
        from .alarms import api_widgets

        return api_widgets(self, self._seconds)


def _protocol(api: Construct, given: ApiProtocol | str) -> ApiProtocol:
    if isinstance(given, ApiProtocol):
        return given
    try:
        return ApiProtocol[str(given).upper()]
    except KeyError:
        raise BreakwaterError(
            api, f"protocol={given!r} is unknown.", "It is ApiProtocol.REST or ApiProtocol.HTTP."
        ) from None
