"""An option that nobody knows is an error with our construct, our parameter and the nearest right one."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds

from cdk_breakwater import (
    ApiProtocol,
    BreakwaterError,
    DecoupledInvocation,
    InvocationSource,
    PublicSslDatabaseFunction,
    ThrottledApi,
    VpcDatabaseFunction,
    breakwater_dashboard,
)


def misspelt(**options: Any) -> dict[str, Any]:
    """Hide from the type checker what it would report: tests/typing sees to that."""
    return options


@pytest.fixture
def function(stack: cdk.Stack, database: rds.DatabaseInstance, vpc: ec2.Vpc, code: dict[str, Any]) -> Any:
    return VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, **code)


def test_a_function_names_itself_and_the_nearest_prop(
    stack: cdk.Stack, database: rds.DatabaseInstance, vpc: ec2.Vpc, code: dict[str, Any]
) -> None:
    with pytest.raises(BreakwaterError) as raised:
        VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, **misspelt(memroy_size=512), **code)
    assert str(raised.value) == (
        "Stack/Orders: VpcDatabaseFunction has no option 'memroy_size'. Did you mean 'memory_size'?"
    )


def test_the_nearest_may_be_a_parameter_of_our_own(
    stack: cdk.Stack, database: rds.DatabaseInstance, code: dict[str, Any]
) -> None:
    with pytest.raises(BreakwaterError, match=r"Public: PublicSsl.* no option 'shareweight'.*'share_weight'"):
        PublicSslDatabaseFunction(stack, "Public", database=database, **misspelt(shareweight=2), **code)


def test_nothing_near_points_to_the_docstring(
    stack: cdk.Stack, database: rds.DatabaseInstance, vpc: ec2.Vpc, code: dict[str, Any]
) -> None:
    with pytest.raises(BreakwaterError, match=r"no option 'zzz'. Its docstring lists the options"):
        VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, **misspelt(zzz=1), **code)


@pytest.mark.parametrize("protocol", ApiProtocol)
def test_an_api_and_its_routes(stack: cdk.Stack, function: Any, protocol: ApiProtocol) -> None:
    with pytest.raises(BreakwaterError, match=r"ThrottledApi has no option 'rate_limt_per_adress'.*'rate_limit_per_a"):
        ThrottledApi(
            stack, "Api", function=function, rate_limit=5, protocol=protocol, **misspelt(rate_limt_per_adress=3)
        )
    api = ThrottledApi(stack, "Right", function=function, rate_limit=5, protocol=protocol)
    with pytest.raises(BreakwaterError, match=r"Right: ThrottledApi.add_route has no option .*'authorizer'"):
        api.add_route("GET", "/reports", rate_limit=2, **misspelt(authoriser=None))


def test_an_option_of_the_other_protocol(stack: cdk.Stack, function: Any) -> None:
    with pytest.raises(BreakwaterError, match=r"no option 'cors_preflight'.*'default_cors_preflight_options'"):
        ThrottledApi(stack, "Api", function=function, rate_limit=5, cors_preflight={})


def test_a_front_door(stack: cdk.Stack, function: Any) -> None:
    jobs = DecoupledInvocation(stack, "Jobs", function=function, source=InvocationSource.sqs())
    with pytest.raises(BreakwaterError, match=r"Jobs/Door/Api: ThrottledApi has no option 'descripton'.*'description'"):
        jobs.add_front_door("Door", path="orders", **misspelt(descripton="orders"))


def test_a_dashboard(stack: cdk.Stack, function: Any) -> None:
    with pytest.raises(BreakwaterError, match=r"breakwater_dashboard has no option 'intervall'"):
        breakwater_dashboard(stack, "Dashboard", [function], **misspelt(intervall=cdk.Duration.hours(1)))
