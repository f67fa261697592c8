"""Limits for an API that the app made by itself: on its stage, in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from aws_cdk import Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_apigatewayv2 as apigatewayv2

from .._cdk.lazy import lazy_any, lazy_number
from ..errors import BreakwaterError
from .throttle import Throttle

if TYPE_CHECKING:
    from collections.abc import Callable


_LIMITED: set[Any] = set()


def limit_existing_api(
    api: apigateway.RestApi | apigateway.SpecRestApi | apigatewayv2.HttpApi, limits: Throttle, *, derived: bool
) -> None:
    """Set the limits on the API's stage.

    Parameters
    ----------
    api
        A REST or HTTP API of this app, also a REST API of an OpenAPI definition.
    limits
        Of the whole API where they are derived; of each method where they are given, as API Gateway means them.
    derived
        Whether they follow from a concurrency, which the methods divide.

    Raises
    ------
    BreakwaterError
        When the API is imported, has no stage of its own or has limits there already, or when limits are derived and
        its methods are in a definition.
    """
    if api in _LIMITED:
        raise BreakwaterError(api, "it has limits already.", "Call ThrottledApi.limit once.")
    if isinstance(api, apigateway.RestApi):
        _limit_rest(api, _for_each_method(api, limits, lambda: len(api.methods)) if derived else limits)
    elif isinstance(api, apigatewayv2.HttpApi):
        _limit_http(api, _for_each_method(api, limits, lambda: _routes(api)) if derived else limits)
    elif isinstance(api, apigateway.SpecRestApi):
        if derived:
            raise BreakwaterError(
                api,
                "its methods are in its definition, and what follows from a share is divided by them.",
                "Pass rate_limit=…, which holds for each method.",
            )
        _limit_rest(api, limits)
    elif isinstance(api, apigatewayv2.WebSocketApi):
        raise BreakwaterError(
            api, "it is a WebSocketApi, which receives messages, not requests.", "Give your WebSocketStage throttle=…."
        )
    else:
        raise BreakwaterError(api, "it is imported, and its stage belongs to another app.", "Limit it there.")
    _LIMITED.add(api)


def _for_each_method(api: Any, limits: Throttle, count: Callable[[], int]) -> Throttle:
    """Divide limits by the methods, to each of which API Gateway applies a stage's limits by itself."""
    resolve = Stack.of(api).resolve
    return Throttle(
        lazy_number(lambda: resolve(limits.rate_limit) / max(1, count())),
        lazy_number(lambda: max(1, int(resolve(limits.burst_limit) / max(1, count())))),
    )


def _routes(api: apigatewayv2.HttpApi) -> int:
    return sum(isinstance(child, apigatewayv2.HttpRoute) for child in api.node.find_all())


def _limit_rest(api: apigateway.RestApi | apigateway.SpecRestApi, throttle: Throttle) -> None:
    # An API made with deploy=False has a token there, and no stage.
    stages = [child for child in api.node.find_all() if isinstance(child, apigateway.CfnStage)]
    if not stages:
        raise BreakwaterError(api, "it has no stage of its own (deploy=False).", "Set the limits on your stage.")
    for stage in stages:
        given = stage._cfn_properties.get("methodSettings")
        settings = Stack.of(api).resolve(given) or []
        if any(_whole_stage(each) and "throttlingRateLimit" in each for each in settings):
            raise BreakwaterError(
                api, "its deploy_options have throttling_rate_limit already.", "Remove it, or leave the API as it is."
            )
        stage.method_settings = lazy_any(
            lambda given=given, stage=stage: _with_limits(Stack.of(stage).resolve(given) or [], throttle)
        )


def _with_limits(settings: list[dict[str, Any]], throttle: Throttle) -> list[dict[str, Any]]:
    limits = {"throttlingRateLimit": throttle.rate_limit, "throttlingBurstLimit": throttle.burst_limit}
    whole = next((each for each in settings if _whole_stage(each)), {"httpMethod": "*", "resourcePath": "/*"})
    # A setting of a method replaces the stage's whole: one without limits of its own would have none.
    return [{**whole, **limits}, *({**limits, **each} for each in settings if not _whole_stage(each))]


def _whole_stage(setting: dict[str, Any]) -> bool:
    return (setting.get("httpMethod"), setting.get("resourcePath")) == ("*", "/*")


def _limit_http(api: apigatewayv2.HttpApi, throttle: Throttle) -> None:
    stage = api.default_stage
    if stage is None:
        raise BreakwaterError(
            api, "it has no default stage (create_default_stage=False).", "Give your HttpStage throttle=…."
        )
    resource = cast("apigatewayv2.CfnStage", stage.node.default_child)
    if resource._cfn_properties.get("defaultRouteSettings") is not None:
        raise BreakwaterError(api, "its default stage has route settings already.", "Remove them.")
    resource.default_route_settings = apigatewayv2.CfnStage.RouteSettingsProperty(
        throttling_rate_limit=throttle.rate_limit, throttling_burst_limit=throttle.burst_limit
    )
