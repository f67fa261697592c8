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

from .conftest import Limits, rest_limits

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
    return {**known, **functions, "stack": stack, "order": order}


def test_the_table_is_what_the_first_block_makes(stack: cdk.Stack, names: dict[str, Any]) -> None:
    exec(FIRST, names)  # noqa: S102 -- the page is ours
    assert rest_limits(stack) == {
        "* /*": Limits(280, 56),
        "GET reports": Limits(pytest.approx(6.67, abs=0.01), 20),
        "POST orders": Limits(20, 10),
    }
    for part in ("56 ÷ 0.2 s = 280, 56", "20 ÷ 3 s = 6.67, 20", "20, 10 (given)"):
        assert f"| {part} |" in PAGE


def test_the_other_blocks_run(names: dict[str, Any]) -> None:
    assert OTHERS
    for block in OTHERS:
        exec(block, names)  # noqa: S102
