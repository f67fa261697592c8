"""Two functions of one database, and a look at what became of their API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Template

from cdk_breakwater import ConnectionBudget
from cdk_breakwater.throttled_api.function_load import Derived

if TYPE_CHECKING:
    import aws_cdk as cdk


class Limits(NamedTuple):
    rate: float
    burst: int


class Functions(NamedTuple):
    """Shares of 16 and 8."""

    orders: lambda_.Function
    reports: lambda_.Function

    @classmethod
    def of(cls, stack: cdk.Stack, code: dict[str, Any]) -> Functions:
        budget = ConnectionBudget(stack, "Budget", max_connections=30)
        made = cls(*(lambda_.Function(stack, name, **code) for name in ("Orders", "Reports")))
        budget.share("orders", concurrency=16).limit(made.orders, overlap=False)
        budget.share("reports", concurrency=8).limit(made.reports, overlap=False)
        return made


@pytest.fixture
def functions(stack: cdk.Stack, code: dict[str, Any]) -> Functions:
    return Functions.of(stack, code)


def derived(part: float, seconds: float, *, beside_root: bool = False) -> Limits:
    """Give what follows from a part of a concurrency; beside the root, nine tenths of it."""
    found = Derived.of(part, late=False)
    rate, burst = found.load / seconds, found.burst
    return Limits(pytest.approx(0.9 * rate), max(1, burst - 1)) if beside_root else Limits(pytest.approx(rate), burst)


def root_limits(stack: cdk.Stack) -> set[Limits]:
    """Give the limits of the root's verbs."""
    (stage,) = Template.from_stack(stack).find_resources("AWS::ApiGateway::Stage").values()
    return {
        Limits(setting["ThrottlingRateLimit"], setting["ThrottlingBurstLimit"])
        for setting in stage["Properties"]["MethodSettings"]
        if setting["ResourcePath"] == "/"
    }


def rest_limits(stack: cdk.Stack) -> dict[str, Limits]:
    """Give the limits by verb and path without its slash, but for the root's; those of the stage are `* /*`."""
    (stage,) = Template.from_stack(stack).find_resources("AWS::ApiGateway::Stage").values()
    return {
        f"{setting['HttpMethod']} {setting['ResourcePath'].removeprefix('/~1').replace('~1', '/')}": Limits(
            setting["ThrottlingRateLimit"], setting["ThrottlingBurstLimit"]
        )
        for setting in stage["Properties"]["MethodSettings"]
        if setting["ResourcePath"] != "/"
    }


def http_limits(stack: cdk.Stack) -> dict[str, Limits]:
    """Give the limits by route; those of the stage are `$default`."""
    (stage,) = Template.from_stack(stack).find_resources("AWS::ApiGatewayV2::Stage").values()
    settings = {"$default": stage["Properties"]["DefaultRouteSettings"], **stage["Properties"].get("RouteSettings", {})}
    return {
        route: Limits(setting["ThrottlingRateLimit"], setting["ThrottlingBurstLimit"])
        for route, setting in settings.items()
    }
