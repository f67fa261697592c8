from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import CfnParameter
from aws_cdk import aws_lambda as lambda_

from cdk_breakwater.checks.rules.function_url_concurrency import RULE

from .stacks import function

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_cdk import Stack

    from .conftest import Findings


OPEN = lambda_.FunctionUrlAuthType.NONE


def url(**props: Any) -> Callable[[Stack], None]:
    return lambda stack: function(stack, **props).add_function_url(auth_type=OPEN)


def test_a_url_without_its_only_limit(findings: Findings) -> None:
    (finding,) = findings(RULE, url())
    assert finding.problem == (
        "Stack0/Function/FunctionUrl lets anyone call Stack0/Function, which has no reserved concurrency."
    )
    assert finding.resource.name == "Stack0/Function"


def test_a_url_for_callers_that_sign_their_requests(findings: Findings) -> None:
    assert findings(RULE, lambda stack: function(stack).add_function_url()) == []


def test_a_url_of_an_alias(findings: Findings) -> None:
    def reserving(stack: Stack) -> None:
        function(stack, reserved_concurrent_executions=5).add_alias("live").add_function_url(auth_type=OPEN)

    assert findings(RULE, reserving) == []
    assert len(findings(RULE, lambda stack: function(stack).add_alias("live").add_function_url(auth_type=OPEN))) == 1


@pytest.mark.parametrize("reserved", [1, 50])
def test_a_url_with_it(findings: Findings, reserved: int) -> None:
    assert findings(RULE, url(reserved_concurrent_executions=reserved)) == []


def test_a_number_that_is_known_at_deployment_only(findings: Findings) -> None:
    def build(stack: Stack) -> None:
        reserved = CfnParameter(stack, "Reserved", type="Number").value_as_number
        function(stack, reserved_concurrent_executions=reserved).add_function_url(auth_type=OPEN)

    assert findings(RULE, build) == []


def test_a_function_without_a_url(findings: Findings) -> None:
    assert findings(RULE, function) == []
