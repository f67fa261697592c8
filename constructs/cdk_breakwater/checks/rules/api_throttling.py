"""An API refuses what is too much before it reaches a function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..rule import Finding, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..assembly import Assembly

_LIMITS = ("ThrottlingRateLimit", "ThrottlingBurstLimit")


def check(assembly: Assembly) -> Iterator[Finding]:
    """Find stages without a default rate and burst."""
    for stage in assembly.resources("AWS::ApiGateway::Stage"):
        settings = stage.get("MethodSettings")
        if not any(
            _limits(setting) for setting in (settings if isinstance(settings, list) else []) if _is_default(setting)
        ):
            yield _finding(stage, "Properties.MethodSettings")
    for stage in assembly.resources("AWS::ApiGatewayV2::Stage"):
        if not _limits(stage.get("DefaultRouteSettings")):
            yield _finding(stage, "Properties.DefaultRouteSettings")


def _finding(stage: Any, location: str) -> Finding:
    return Finding(stage, location, f"{stage.name} has no rate and burst of its own.")


def _is_default(setting: dict[str, Any]) -> bool:
    return setting.get("HttpMethod") == "*" and setting.get("ResourcePath") == "/*"


def _limits(settings: Any) -> bool:
    return isinstance(settings, dict) and all(settings.get(limit) is not None for limit in _LIMITS)


RULE = Rule(
    id="ApiThrottling",
    requires="Every stage of an API has a default rate and burst.",
    reason="Without them one API may take the account's 10,000 requests per second from all others, and pass them on "
    "to what is behind it.",
    fix="Set ThrottlingRateLimit and ThrottlingBurstLimit: MethodSettings for /* and * (REST), DefaultRouteSettings "
    "(HTTP, WebSocket).",
    link="https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html",
    check=check,
)
