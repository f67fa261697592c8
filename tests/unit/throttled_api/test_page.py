"""The blocks of docs/throttled_api.md run, and its numbers are those of the example."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_lambda as lambda_

from cdk_breakwater import ConnectionBudget, ThrottledApi
from cdk_breakwater.throttled_api.function_load import Derived

from .conftest import Limits, rest_limits, root_limits

PAGE = (Path(__file__).parents[3] / "docs" / "throttled_api.md").read_text(encoding="utf-8")
FIRST, *OTHERS = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture
def names(stack: cdk.Stack, code: dict[str, Any]) -> dict[str, Any]:
    budget = ConnectionBudget(stack, "Budget", max_connections=100)
    functions = {name: lambda_.Function(stack, name, **code) for name in ("orders", "reports")}
    for (name, function), concurrency in zip(functions.items(), (60, 20), strict=True):
        budget.share(name, concurrency=concurrency).limit(function, overlap=False)
    order = apigateway.JsonSchema(type=apigateway.JsonSchemaType.OBJECT)
    known = {"ThrottledApi": ThrottledApi, "Duration": cdk.Duration, "apigateway": apigateway}
    existing = apigateway.RestApi(cdk.Stack(stack.node.scope, "Other"), "Existing")
    existing.root.add_method("GET")
    return {**known, **functions, "stack": stack, "order": order, "existing": existing}


def test_the_table_is_what_the_first_block_makes(stack: cdk.Stack, names: dict[str, Any]) -> None:
    exec(FIRST, names)  # noqa: S102 -- the page is ours
    assert rest_limits(stack) == {
        "* /*": Limits(pytest.approx(166.49, abs=0.01), 8),
        "GET reports": Limits(pytest.approx(4.64, abs=0.01), 6),
        "POST orders": Limits(20, 10),
    }
    (root,) = root_limits(stack)
    assert root == Limits(pytest.approx(18.50, abs=0.01), 1)
    for part in ("37.0 ÷ 0.2 s = 185, 9", "13.9 ÷ 3 s = 4.64, 6", "20, 10 (given)"):
        assert f"| {part} |" in PAGE


@pytest.mark.parametrize(
    ("concurrency", "load", "burst"), [(4, 0.40, 2), (20, 0.70, 6), (56, 0.82, 9), (200, 0.92, 16)]
)
def test_the_price_is_what_is_derived(concurrency: int, load: float, burst: int) -> None:
    found = Derived.of(concurrency, late=False)
    assert (found.load / concurrency, found.burst) == (pytest.approx(load, abs=0.006), burst)
    assert f"| {concurrency} | {load:.2f} | {burst} |" in PAGE


def test_the_other_blocks_run(names: dict[str, Any]) -> None:
    assert OTHERS
    for block in OTHERS:
        exec(block, names)  # noqa: S102
