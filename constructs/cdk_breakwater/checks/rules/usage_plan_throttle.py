"""A client with a key has a limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..answers import ABSENT, Block, Items, Unknown
from ..rule import Finding, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..resource import Resource


def check(resource: Resource) -> Iterator[Finding]:
    """Find a usage plan without a rate and burst for each client."""
    if resource.get("Throttle") is not ABSENT:
        return
    stages = resource.items("ApiStages")
    for stage in stages if isinstance(stages, Items) else ():
        if not isinstance(stage, Block) or stage.get("Throttle") is not ABSENT:
            return  # methods have limits of their own, or may have
    if isinstance(stages, Unknown):
        return
    both = "neither rate nor quota" if resource.get("Quota") is ABSENT else "a quota and no rate"
    yield Finding(
        resource,
        "Properties.Throttle",
        f"{resource.name} gives its clients {both}.",
        found=both,
        needed="Throttle",
    )


RULE = Rule(
    id="UsagePlanThrottle",
    requires="A usage plan has a throttle.",
    reason="Without a throttle, an API key identifies a client but doesn't limit it: one client can take all that "
    "the stage lets through.",
    fix="Set Throttle.RateLimit and BurstLimit, and also Quota if calls are counted by the month.",
    link="https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-usage-plans.html",
    severity=Severity.NOTE,
    of=("AWS::ApiGateway::UsagePlan",),
    check=check,
)
