"""A limit per address, which API Gateway itself does not know: a rate-based rule of AWS WAF before a REST API."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from aws_cdk import Annotations, Stack, Token
from aws_cdk import aws_wafv2 as wafv2

from .._cdk.arguments import shown
from .._cdk.late_validation import validate_at_synth
from .._cdk.nag import acknowledge, compliance_rules
from ..errors import BreakwaterError

if TYPE_CHECKING:
    from aws_cdk import aws_apigateway as apigateway
    from constructs import Construct

# Source: AWS WAF Developer Guide, "Rate-based rule high-level settings".
WINDOWS = (60, 120, 300, 600)
"""How far back WAF counts, in seconds."""
MINIMUM, MAXIMUM = 10, 2_000_000_000
"""Requests per window. Source: AWS WAFV2 API Reference, RateBasedStatement."""


@dataclass(frozen=True)
class RateRule:
    """The limit as WAF knows it.

    Parameters
    ----------
    limit
        Requests from one address within the window.
    window
        Seconds, one of `WINDOWS`.
    """

    limit: int
    window: int

    @staticmethod
    def of(where: Construct, rate_limit: float) -> RateRule:
        """Find the shortest window in which WAF can count to a rate, its limit rounded down to whole requests.

        Parameters
        ----------
        where
            The construct that an error names.
        rate_limit
            Requests per second from one address.

        Raises
        ------
        BreakwaterError
            When the rate is a token, or out of WAF's reach.
        """
        name = "rate_limit_per_address"
        if isinstance(rate_limit, bool) or not isinstance(rate_limit, (int, float)):
            raise BreakwaterError(
                where, f"{name} is {shown(rate_limit)}.", "Give a plain number of requests per second."
            )
        known = math.isfinite(rate_limit)  # jsii cannot carry inf and nan
        if known and Token.is_unresolved(rate_limit):
            raise BreakwaterError(where, f"{name} is a token.", "Give a plain number of requests a second.")
        for window in WINDOWS if known else ():
            limit = math.floor(round(rate_limit * window, 6))  # 2.05 x 60 is 122.99… to a float
            if MINIMUM <= limit <= MAXIMUM:
                return RateRule(limit, window)
        raise BreakwaterError(
            where,
            f"{name} must be {MINIMUM / WINDOWS[-1]:.3g} to {MAXIMUM / WINDOWS[0]:.0f} requests per second "
            f"(given {rate_limit}).",
            f"AWS WAF counts {MINIMUM} to {MAXIMUM:,} requests in {WINDOWS[0]} to {WINDOWS[-1]} s.",
        )


def limit_addresses(
    scope: Construct, stage: apigateway.Stage, rate_limit: float, rate_limit_of_stage: float
) -> wafv2.CfnWebACL:
    """Put a web ACL before a stage that answers 429 to an address above its rate, and lets everything else pass.

    Parameters
    ----------
    scope
        The API.
    stage
        What to protect.
    rate_limit
        Requests per second from one address.
    rate_limit_of_stage
        That of all addresses together, a number or a lazy one.
    """
    rule = RateRule.of(scope, rate_limit)
    # WAF's answer goes before the API's own. The address is let in again when the window holds fewer requests.
    # Source: AWS WAF Developer Guide, "Sending custom responses for Block actions".
    refusal = wafv2.CfnWebACL.CustomResponseProperty(
        response_code=429,
        response_headers=[wafv2.CfnWebACL.CustomHTTPHeaderProperty(name="Retry-After", value=str(rule.window))],
    )
    web_acl = wafv2.CfnWebACL(
        scope,
        "WebAcl",
        scope="REGIONAL",
        default_action=wafv2.CfnWebACL.DefaultActionProperty(allow={}),
        visibility_config=_visibility("WebAcl"),
        rules=[
            wafv2.CfnWebACL.RuleProperty(
                name="RatePerAddress",
                priority=0,
                action=wafv2.CfnWebACL.RuleActionProperty(
                    block=wafv2.CfnWebACL.BlockActionProperty(custom_response=refusal)
                ),
                statement=wafv2.CfnWebACL.StatementProperty(
                    rate_based_statement=wafv2.CfnWebACL.RateBasedStatementProperty(
                        aggregate_key_type="IP", limit=rule.limit, evaluation_window_sec=rule.window
                    )
                ),
                visibility_config=_visibility("RatePerAddress"),
            )
        ],
    )
    wafv2.CfnWebACLAssociation(scope, "WebAclAssociation", resource_arn=stage.stage_arn, web_acl_arn=web_acl.attr_arn)
    acknowledge(
        web_acl,
        "What it blocks is counted and sampled in CloudWatch; full logs need a destination with a physical name "
        "(aws-waf-logs-…) and cost by the request: the app's choice.",
        *compliance_rules("WAFv2LoggingEnabled"),
    )
    validate_at_synth(scope, partial(_compare, scope, rate_limit, rate_limit_of_stage))
    return web_acl


def _visibility(name: str) -> wafv2.CfnWebACL.VisibilityConfigProperty:
    return wafv2.CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, sampled_requests_enabled=True, metric_name=name
    )


def _compare(api: Construct, rate_limit: float, rate_limit_of_stage: float) -> None:
    whole = Stack.of(api).resolve(rate_limit_of_stage)
    if rate_limit >= whole:
        Annotations.of(api).add_warning_v2(
            "cdk-breakwater:address-rate-above-api",
            f"one address may send {rate_limit:g} requests per second, and the whole API takes {whole:g}: a single "
            "address can still have all of it.",
        )
