"""A limit per address before a REST API, as AWS WAF can count it."""

from __future__ import annotations

import json

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Annotations, Match, Template

from cdk_breakwater import ApiProtocol, BreakwaterError, ThrottledApi
from cdk_breakwater.throttled_api.waf_rate_rule import RateRule

from .conftest import Functions


@pytest.mark.parametrize(
    ("rate", "rule"),
    [
        (2, RateRule(120, 60)),
        (2.05, RateRule(123, 60)),
        (1 / 6, RateRule(10, 60)),
        (0.1, RateRule(12, 120)),
        (0.05, RateRule(15, 300)),
        (1 / 60, RateRule(10, 600)),
    ],
)
def test_the_shortest_window_in_which_waf_can_count(stack: cdk.Stack, rate: float, rule: RateRule) -> None:
    assert RateRule.of(stack, rate) == rule


@pytest.mark.parametrize("rate", [0, -1, 0.016, 1e9, float("nan"), float("inf")])
def test_out_of_reach(stack: cdk.Stack, rate: float) -> None:
    with pytest.raises(
        BreakwaterError, match=rf"Stack: rate_limit_per_address must be 0\.0167 to 33333333 .*given {rate}\)"
    ):
        RateRule.of(stack, rate)


def test_a_token(stack: cdk.Stack) -> None:
    with pytest.raises(BreakwaterError, match=r"rate_limit_per_address is a token"):
        RateRule.of(stack, cdk.CfnParameter(stack, "Rate", type="Number").value_as_number)


def test_an_address_beyond_it_gets_429_with_retry_after(stack: cdk.Stack, functions: Functions) -> None:
    api = ThrottledApi(stack, "Api", function=functions.orders, rate_limit=50, rate_limit_per_address=2)
    template = Template.from_stack(stack)
    template.has_resource_properties(
        "AWS::WAFv2::WebACL",
        {
            "Scope": "REGIONAL",
            "DefaultAction": {"Allow": {}},
            "Rules": [
                {
                    "Action": {
                        "Block": {
                            "CustomResponse": {
                                "ResponseCode": 429,
                                "ResponseHeaders": [{"Name": "Retry-After", "Value": "60"}],
                            }
                        }
                    },
                    "Statement": {
                        "RateBasedStatement": {"AggregateKeyType": "IP", "Limit": 120, "EvaluationWindowSec": 60}
                    },
                }
            ],
        },
    )
    ((stage, described),) = template.find_resources("AWS::ApiGateway::Stage").items()
    access_log = json.loads(described["Properties"]["AccessLogSetting"]["Format"])
    assert access_log["waf"] == "$context.wafResponseCode"
    (association,) = template.find_resources("AWS::WAFv2::WebACLAssociation").values()
    assert {"Ref": stage} in association["Properties"]["ResourceArn"]["Fn::Join"][1]
    assert api.web_acl is not None
    Annotations.from_stack(stack).has_no_warning("*", Match.string_like_regexp("one address"))


def test_there_is_none_by_default(stack: cdk.Stack, functions: Functions) -> None:
    assert ThrottledApi(stack, "Api", function=functions.orders, rate_limit=50).web_acl is None
    Template.from_stack(stack).resource_count_is("AWS::WAFv2::WebACL", 0)


def test_a_limit_that_one_address_cannot_reach_is_reported(stack: cdk.Stack, functions: Functions) -> None:
    duration = cdk.Duration.seconds(2)
    ThrottledApi(stack, "Api", function=functions.orders, expected_duration=duration, rate_limit_per_address=10)
    Annotations.from_stack(stack).has_warning(
        "/Stack/Api", Match.string_like_regexp(r"one address may send 10 requests per second.*takes 5\.28")
    )


def test_waf_protects_no_http_api(stack: cdk.Stack, functions: Functions) -> None:
    with pytest.raises(BreakwaterError, match=r"rate_limit_per_address=2 cannot hold: AWS WAF protects no HTTP API"):
        ThrottledApi(
            stack, "Api", function=functions.orders, rate_limit=5, rate_limit_per_address=2, protocol=ApiProtocol.HTTP
        )
