"""An API refuses what is too much before it reaches a function."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..answers import ABSENT, Answer, Block, Items, Unknown
from ..referring_resources import referring_to
from ..resource import as_number
from ..rule import Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..resource import Resource

_LIMITS = ("ThrottlingRateLimit", "ThrottlingBurstLimit")
# API Gateway takes a rate or burst of −1 for none.
_NO_LIMIT = -1


def check(resource: Resource) -> Iterator[Finding]:
    """Find a stage without a default rate and burst."""
    if resource.type == "AWS::ApiGateway::Stage":
        if _by_methods(resource.get("MethodSettings")) is False:
            yield _finding(resource, "Properties.MethodSettings")
    elif resource.type == "AWS::ApiGateway::Deployment":
        # A deployment with a name makes a stage of its own, unless a stage of that name is declared.
        if _makes_a_stage(resource) and _by_methods(resource.get("StageDescription", "MethodSettings")) is False:
            whole = resource.block("StageDescription")
            if not isinstance(whole, Unknown) and (whole is ABSENT or _limits(whole) is False):
                yield _finding(resource, "Properties.StageDescription")
    elif resource.type == "AWS::ApiGatewayV2::Stage":
        if _limits(resource.get("DefaultRouteSettings")) is False:
            yield _finding(resource, "Properties.DefaultRouteSettings")
    # Quick create: an HTTP API with a target has a stage $default, which can't be throttled as none describes it.
    elif resource.get("Target") is not ABSENT and not _has_stage(resource):
        yield _finding(resource, "Properties.Target")


def _finding(resource: Resource, location: str) -> Finding:
    api = resource.target("RestApiId") or resource.target("ApiId")
    return Finding(
        resource,
        location,
        f"{_stage(resource)}{f' of {api.name}' if api is not None else ''} has no default rate and burst: it may "
        "take the account's 10,000 requests per second.",
        found="10,000/s of the account",
        needed="a rate and burst of its own",
        others=(api,) if api is not None else (),
    )


def _stage(resource: Resource) -> str:
    if resource.type != "AWS::ApiGateway::Deployment":
        return resource.name
    name = resource.get("StageName")
    # SAM makes one of that name for each API, which no template mentions.
    by = "SAM (it does not where Globals.Api.OpenApiVersion is set)" if name == "Stage" else resource.name
    return f"The stage {name}, made by {by},"


def _makes_a_stage(deployment: Resource) -> bool:
    name = deployment.text("StageName")
    if not isinstance(name, str):
        return False
    api = deployment.target("RestApiId")
    if api is not None:
        stages = referring_to(api, "AWS::ApiGateway::Stage", "RestApiId")
    else:  # whatever has an API that isn't in the templates may be of the same
        declared = deployment.template.assembly.resources("AWS::ApiGateway::Stage")
        stages = [stage for stage in declared if stage.target("RestApiId") is None]
    return not any(stage.text("StageName") == name for stage in stages)


def _has_stage(api: Resource) -> bool:
    return bool(referring_to(api, "AWS::ApiGatewayV2::Stage", "ApiId"))


def _by_methods(answer: Answer) -> bool | Unknown:
    """Tell whether the settings of all methods limit them."""
    if answer is ABSENT:
        return False
    if not isinstance(answer, Items):
        return Unknown()
    found: bool | Unknown = False
    for setting in answer:
        if not isinstance(setting, Block):
            found = Unknown()
        elif _may_be(setting.get("HttpMethod"), "*") and _may_be(setting.get("ResourcePath"), "/*"):
            limits = _limits(setting)
            if limits is not False:
                return limits
    return found


def _may_be(answer: Answer, text: str) -> bool:
    return isinstance(answer, Unknown) or answer == text


def _limits(answer: Answer) -> bool | Unknown:
    if not isinstance(answer, Block):
        return False if answer is ABSENT else Unknown()
    limits = [as_number(answer.get(name), _NO_LIMIT) for name in _LIMITS]
    if any(not isinstance(limit, Unknown) and limit < 0 for limit in limits):
        return False
    return Unknown() if any(isinstance(limit, Unknown) for limit in limits) else True


RULE = Rule(
    id="ApiThrottling",
    requires="Every stage of an API has a default rate and burst.",
    reason="Without them, one API can use up the account's 10,000 requests per second, and pass all of them on to "
    "what is behind it.",
    fix="Set ThrottlingRateLimit and ThrottlingBurstLimit: in MethodSettings for /* and * (REST), or in "
    "DefaultRouteSettings (HTTP, WebSocket).",
    link="https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html",
    severity=Severity.NOTE,
    of=("AWS::ApiGateway::Stage", "AWS::ApiGateway::Deployment", "AWS::ApiGatewayV2::Stage", "AWS::ApiGatewayV2::Api"),
    check=check,
)
